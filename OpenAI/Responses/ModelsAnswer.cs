using System.Buffers;
using Fastgen.Contracts;
using Microsoft.AspNetCore.Http;

namespace Fastgen.OpenAI.Responses;

/// <summary>Answers <c>GET /v1/models</c> and <c>GET /v1/models/{id}</c>.</summary>
internal static class ModelsAnswer
{
    public static async Task WriteListAsync(HttpContext context, IGenerationService service)
    {
        IReadOnlyList<ModelInfo> models = await service.ListModelsAsync(context.RequestAborted);
        await WriteAsync(context.Response, FormatList(models));
    }

    public static async Task WriteOneAsync(HttpContext context, IGenerationService service, string id)
    {
        IReadOnlyList<ModelInfo> models = await service.ListModelsAsync(context.RequestAborted);
        ModelInfo model = models.FirstOrDefault(candidate => candidate.Id == id)
            ?? throw new ApiException(404, $"The model '{id}' does not exist; GET /v1/models lists those that do.", "model", "model_not_found");
        var buffer = new ArrayBufferWriter<byte>(256);
        var output = new Utf8Output(buffer);
        Format(ref output, model);
        output.Commit();
        await WriteAsync(context.Response, buffer.WrittenMemory);
    }

    private static ReadOnlyMemory<byte> FormatList(IReadOnlyList<ModelInfo> models)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        var output = new Utf8Output(buffer);
        output.Raw("{\"object\":\"list\",\"data\":["u8);
        for (int i = 0; i < models.Count; i++)
        {
            if (i > 0)
            {
                output.Raw(","u8);
            }

            Format(ref output, models[i]);
        }

        output.Raw("]}"u8);
        output.Commit();
        return buffer.WrittenMemory;
    }

    /// <summary>OpenAI's fields, and <c>max_model_len</c> as vLLM names it.</summary>
    private static void Format(ref Utf8Output output, ModelInfo model)
    {
        output.Raw("{\"id\":\""u8);
        output.Text(model.Id);
        output.Raw("\",\"object\":\"model\",\"created\":"u8);
        output.Number(model.CreatedUnixSeconds);
        output.Raw(",\"owned_by\":\"fastgen\",\"max_model_len\":"u8);
        output.Number(model.MaxContextTokens);
        output.Raw("}"u8);
    }

    private static async Task WriteAsync(HttpResponse response, ReadOnlyMemory<byte> body)
    {
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, response.HttpContext.RequestAborted);
    }
}
