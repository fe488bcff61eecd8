using Fastgen.Contracts;

namespace Fastgen.OpenAI.Requests;

/// <summary>Fields besides sampling that both endpoints read alike.</summary>
internal static class EnvelopeFields
{
    private const int MaxChoicesPerPrompt = 128;

    /// <summary>The model's name; a body without one means the only model, as fgserve's users know it.</summary>
    public static async ValueTask<string> ReadModelAsync(JsonFields fields, IGenerationService service, CancellationToken cancellationToken)
    {
        if (fields.String("model") is { } model)
        {
            return model.Length > 0 ? model : throw ApiException.Invalid("'model' is empty; send a name from GET /v1/models.", "model");
        }

        IReadOnlyList<ModelInfo> models = await service.ListModelsAsync(cancellationToken);
        return models.Count == 1
            ? models[0].Id
            : throw ApiException.Invalid($"'model' is missing and the server has {models.Count} models; send a name from GET /v1/models.", "model");
    }

    public static int ReadChoices(JsonFields fields, int prompts, OpenAiOptions options)
    {
        fields.String("user");
        int choices = fields.Integer("n", 1, Math.Min(MaxChoicesPerPrompt, options.MaxChoices)) ?? 1;
        return (long)choices * prompts <= options.MaxChoices
            ? choices
            : throw ApiException.Invalid(
                $"'n' is {choices} for {prompts} prompts, {(long)choices * prompts} choices in all, but the server allows {options.MaxChoices}; split the request.",
                "n");
    }

    public static bool ReadStream(JsonFields fields, out bool includeUsage)
    {
        bool stream = fields.Boolean("stream") ?? false;
        JsonFields? streamOptions = fields.Object("stream_options");
        if (streamOptions is not null && !stream)
        {
            throw ApiException.Invalid("'stream_options' is set but 'stream' is not true; set it or leave the options out.", "stream_options");
        }

        includeUsage = streamOptions?.Boolean("include_usage") ?? false;
        return stream;
    }
}
