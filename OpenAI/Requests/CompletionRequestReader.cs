using System.Globalization;
using System.Text.Json;
using Fastgen.Contracts;

namespace Fastgen.OpenAI.Requests;

/// <summary>Reads the body of <c>POST /v1/completions</c>.</summary>
internal static class CompletionRequestReader
{
    private const int MaxLogprobs = 5;

    /// <summary>One of the two is set.</summary>
    private readonly record struct Prompt(string? Text, int[]? Tokens);

    public static ApiRequest Read(JsonElement body, RequestEnvelope envelope, OpenAiOptions options)
    {
        var fields = new JsonFields(body);
        UnsupportedFields.Refuse(fields, ApiKind.Completion);
        List<Prompt> prompts = ReadPrompts(fields, options);
        int choices = EnvelopeFields.ReadChoices(fields, prompts.Count, options);
        RefuseBestOf(fields, choices);
        bool stream = EnvelopeFields.ReadStream(fields, out bool includeUsage);
        int? maxTokens = fields.Integer("max_tokens", 1, int.MaxValue) ?? DefaultMaxTokens(fields);
        int? logprobs = fields.Integer("logprobs", 0, MaxLogprobs);
        GenerationSampling sampling = SamplingFields.Read(fields, options, maxTokens, "max_tokens", logprobs);
        List<string>? echo = ReadEcho(fields, prompts, logprobs);

        var generations = new GenerationRequest[prompts.Count];
        for (int i = 0; i < generations.Length; i++)
        {
            generations[i] = new GenerationRequest
            {
                Id = generations.Length == 1 ? envelope.Id : string.Create(CultureInfo.InvariantCulture, $"{envelope.Id}-{i}"),
                Model = envelope.Model,
                PromptText = prompts[i].Text,
                PromptTokens = prompts[i].Tokens,
                Choices = choices,
                Sampling = sampling,
                TraceParent = envelope.TraceParent,
            };
        }

        return new ApiRequest(ApiKind.Completion, envelope.Id, envelope.CreatedUnixSeconds, envelope.Model, generations, choices, stream, includeUsage, echo);
    }

    /// <summary>OpenAI's default for this endpoint, unless the request wants more at least.</summary>
    private static int DefaultMaxTokens(JsonFields fields) => Math.Max(16, fields.Integer("min_tokens", 0, int.MaxValue) ?? 0);

    private static List<Prompt> ReadPrompts(JsonFields fields, OpenAiOptions options)
    {
        JsonElement value = fields.Get("prompt")
            ?? throw ApiException.Invalid("'prompt' is missing; send a string, an array of strings, an array of token ids or an array of such arrays.", "prompt");
        if (value.ValueKind == JsonValueKind.String)
        {
            return [new Prompt(value.GetString(), null)];
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw JsonFields.WrongType("prompt", "a string, an array of strings, an array of token ids or an array of such arrays", value);
        }

        int count = value.GetArrayLength();
        if (count == 0)
        {
            throw ApiException.Invalid("'prompt' is an empty array; send at least one prompt.", "prompt");
        }

        if (value[0].ValueKind == JsonValueKind.Number)
        {
            return [new Prompt(null, ReadTokens(value, "prompt"))];
        }

        if (count > options.MaxChoices)
        {
            throw JsonFields.TooMany("prompt", count, options.MaxChoices);
        }

        JsonValueKind kind = value[0].ValueKind;
        var prompts = new List<Prompt>(count);
        foreach (JsonElement entry in value.EnumerateArray())
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"prompt[{prompts.Count}]");
            if (entry.ValueKind != kind || kind is not (JsonValueKind.String or JsonValueKind.Array))
            {
                throw JsonFields.WrongType(name, kind == JsonValueKind.Array ? "an array of token ids, as the first entry is" : "a string", entry);
            }

            prompts.Add(kind == JsonValueKind.String ? new Prompt(entry.GetString(), null) : new Prompt(null, ReadTokens(entry, name)));
        }

        return prompts;
    }

    private static int[] ReadTokens(JsonElement array, string name)
    {
        var tokens = new int[array.GetArrayLength()];
        if (tokens.Length == 0)
        {
            throw ApiException.Invalid($"'{name}' has no tokens; send at least one.", name);
        }

        int index = 0;
        foreach (JsonElement entry in array.EnumerateArray())
        {
            // The name is only made for the error: a prompt may have a million tokens.
            tokens[index] = entry.ValueKind == JsonValueKind.Number && entry.TryGetInt32(out int id) && id >= 0
                ? id
                : JsonFields.Integer(entry, string.Create(CultureInfo.InvariantCulture, $"{name}[{index}]"), 0, int.MaxValue);
            index++;
        }

        return tokens;
    }

    private static void RefuseBestOf(JsonFields fields, int choices)
    {
        if (fields.Integer("best_of", 1, int.MaxValue) is { } bestOf && bestOf != choices)
        {
            throw ApiException.Invalid($"'best_of' is {bestOf} but 'n' is {choices}; choosing among more candidates than are returned is not supported, make them equal.", "best_of");
        }
    }

    private static List<string>? ReadEcho(JsonFields fields, List<Prompt> prompts, int? logprobs)
    {
        if (fields.Boolean("echo") is not true)
        {
            return null;
        }

        if (logprobs is not null)
        {
            throw ApiException.Invalid("'echo' with 'logprobs' asks for log probabilities of the prompt, which are not supported; leave one of them out.", "echo");
        }

        var texts = new List<string>(prompts.Count);
        foreach (Prompt prompt in prompts)
        {
            texts.Add(prompt.Text ?? throw ApiException.Invalid("'echo' with a prompt of token ids is not supported; send the prompt as text or leave 'echo' out.", "echo"));
        }

        return texts;
    }
}
