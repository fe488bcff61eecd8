using System.Diagnostics;
using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.OpenAI.Requests;
using Fastgen.OpenAI.Responses;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fastgen.OpenAI;

/// <summary>Runs the endpoints: method, key, request id, and every failure turned into OpenAI's error body.</summary>
internal sealed class ApiHandler(OpenAiOptions options, ILogger logger)
{
    private const int ClientClosedRequest = 499;

    private readonly ApiKeyCheck _keys = new(options);

    /// <summary>Runs one endpoint.</summary>
    /// <param name="allow">Methods of the path, as the Allow header lists them; null for a path that does not exist.</param>
    public async Task RunAsync(HttpContext context, string? allow, Func<HttpContext, Task> endpoint)
    {
        string requestId = "req_" + Guid.NewGuid().ToString("N");
        context.Response.Headers["x-request-id"] = requestId;
        try
        {
            _keys.Check(context.Request);
            CheckMethod(context.Request, allow);
            await endpoint(context);
        }
        catch (Exception e) when (IsClientGone(e, context))
        {
            // Nobody reads it; access logs tell it from a success.
            if (!context.Response.HasStarted)
            {
                context.Response.StatusCode = ClientClosedRequest;
            }
        }
        catch (Exception e)
        {
            if (context.Response.HasStarted)
            {
                LogFailure(context, e);
                context.Abort();
                return;
            }

            await ErrorBody.WriteAsync(context.Response, ToApiException(context, e));
        }
    }

    public static Task ModelsAsync(HttpContext context)
    {
        IGenerationService service = context.RequestServices.GetRequiredService<IGenerationService>();
        string? id = context.GetRouteValue("id") as string;
        return string.IsNullOrEmpty(id)
            ? ModelsAnswer.WriteListAsync(context, service)
            // The server decodes everything in a path but the slash.
            : ModelsAnswer.WriteOneAsync(context, service, id.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase));
    }

    public Task ChatAsync(HttpContext context) => GenerateAsync(context, ApiKind.Chat);

    public Task CompletionAsync(HttpContext context) => GenerateAsync(context, ApiKind.Completion);

    public static Task UnknownAsync(HttpContext context) => throw new ApiException(
        404,
        $"Invalid URL ({context.Request.Method} {context.Request.Path}); this server has /v1/models, /v1/chat/completions and /v1/completions.",
        null,
        "unknown_url");

    private async Task GenerateAsync(HttpContext context, ApiKind kind)
    {
        long startTimestamp = Stopwatch.GetTimestamp();
        IGenerationService service = context.RequestServices.GetRequiredService<IGenerationService>();
        ApiRequest request = await ReadRequestAsync(context, service, kind);
        if (request.Stream)
        {
            await StreamedAnswer.WriteAsync(context, service, request, startTimestamp, e => ToApiException(context, e));
        }
        else
        {
            await WholeAnswer.WriteAsync(context, service, request, startTimestamp);
        }
    }

    private async Task<ApiRequest> ReadRequestAsync(HttpContext context, IGenerationService service, ApiKind kind)
    {
        using JsonDocument document = await RequestBody.ReadAsync(context.Request, options);
        JsonElement body = document.RootElement;
        string model = await EnvelopeFields.ReadModelAsync(new JsonFields(body), service, context.RequestAborted);
        string prefix = kind == ApiKind.Chat ? "chatcmpl-" : "cmpl-";
        Activity? activity = Activity.Current;
        var envelope = new RequestEnvelope(
            prefix + context.Response.Headers["x-request-id"].ToString()["req_".Length..],
            DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
            model,
            activity is { IdFormat: ActivityIdFormat.W3C } ? activity.Id : null);
        return kind == ApiKind.Chat
            ? ChatRequestReader.Read(body, envelope, options)
            : CompletionRequestReader.Read(body, envelope, options);
    }

    private static void CheckMethod(HttpRequest request, string? allow)
    {
        bool allowed = allow is null || (allow == "POST"
            ? HttpMethods.IsPost(request.Method)
            : HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method));
        if (!allowed)
        {
            throw new ApiException(405, $"Not allowed to {request.Method} on {request.Path}; use {allow}.", null, "method_not_supported") { Allow = allow };
        }
    }

    private static bool IsClientGone(Exception e, HttpContext context) =>
        e is ConnectionResetException || (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException);

    private ApiException ToApiException(HttpContext context, Exception e)
    {
        switch (e)
        {
            case ApiException known:
                return known;
            case GenerationException refused:
                if (refused.Kind == GenerationErrorKind.Internal)
                {
                    LogFailure(context, e);
                }

                return ApiException.From(refused);
            case OperationCanceledException:
                // The client is still there, so it was the server that gave up.
                return new ApiException(503, "The server is stopping; send the request again.", null, "service_unavailable");
            default:
                LogFailure(context, e);
                return new ApiException(
                    500,
                    $"The server had an error while processing your request; its log has the details under {context.Response.Headers["x-request-id"]}.",
                    null,
                    "internal_error");
        }
    }

    private void LogFailure(HttpContext context, Exception e) =>
        logger.LogError(e, "{RequestId} {Method} {Path} failed", context.Response.Headers["x-request-id"].ToString(), context.Request.Method, context.Request.Path);
}
