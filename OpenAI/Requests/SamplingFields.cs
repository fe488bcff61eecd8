using System.Globalization;
using System.Text.Json;
using Fastgen.Contracts;

namespace Fastgen.OpenAI.Requests;

/// <summary>The sampling fields that both endpoints share: OpenAI's, and vLLM's extensions by vLLM's names.</summary>
internal static class SamplingFields
{
    private const int MaxStopCharacters = 1000;
    private const int MaxStopTokenIds = 1024;
    private const int MaxLogitBiases = 1024;

    public static GenerationSampling Read(JsonFields fields, OpenAiOptions options, int? maxTokens, string maxTokensName, int? logprobs)
    {
        int? minTokens = fields.Integer("min_tokens", 0, int.MaxValue);
        if (minTokens > maxTokens)
        {
            throw ApiException.Invalid($"'min_tokens' is {minTokens} but '{maxTokensName}' is {maxTokens}; lower the one or raise the other.", "min_tokens");
        }

        return new GenerationSampling
        {
            Temperature = fields.Number("temperature", 0, 2),
            // OpenAI allows 0, where one token is left; the smallest positive share says the same.
            TopP = fields.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 1e-6f) : null,
            // vLLM's -1 means off, as 0 does here.
            TopK = fields.Integer("top_k", -1, int.MaxValue) is { } topK ? Math.Max(topK, 0) : null,
            MinP = fields.Number("min_p", 0, 1),
            Seed = ReadSeed(fields),
            PresencePenalty = fields.Number("presence_penalty", -2, 2),
            FrequencyPenalty = fields.Number("frequency_penalty", -2, 2),
            RepetitionPenalty = ReadRepetitionPenalty(fields),
            LogitBias = ReadLogitBias(fields),
            Stop = ReadStop(fields, options.MaxStopStrings),
            StopTokenIds = ReadStopTokenIds(fields),
            MaxTokens = maxTokens,
            MinTokens = minTokens,
            IgnoreEos = fields.Boolean("ignore_eos") ?? false,
            Logprobs = logprobs,
        };
    }

    private static ulong? ReadSeed(JsonFields fields)
    {
        if (fields.Get("seed") is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Number)
        {
            throw JsonFields.WrongType("seed", "an integer", value);
        }

        if (value.TryGetInt64(out long signed))
        {
            return unchecked((ulong)signed);
        }

        return value.TryGetUInt64(out ulong unsigned)
            ? unsigned
            : throw JsonFields.WrongType("seed", "an integer of at most 64 bits", value);
    }

    private static float? ReadRepetitionPenalty(JsonFields fields)
    {
        float? penalty = fields.Number("repetition_penalty", 0, 100);
        return penalty is 0
            ? throw ApiException.Invalid("'repetition_penalty' is 0; it must be above 0 and at most 100, and 1 turns it off.", "repetition_penalty")
            : penalty;
    }

    private static Dictionary<int, float>? ReadLogitBias(JsonFields fields)
    {
        if (fields.Get("logit_bias") is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            throw JsonFields.WrongType("logit_bias", "an object from token ids to numbers", value);
        }

        int count = value.GetPropertyCount();
        if (count > MaxLogitBiases)
        {
            throw JsonFields.TooMany("logit_bias", count, MaxLogitBiases);
        }

        var biases = new Dictionary<int, float>(count);
        foreach (JsonProperty entry in value.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int tokenId))
            {
                string shown = entry.Name.Length <= 40 ? entry.Name : entry.Name[..37] + "...";
                throw ApiException.Invalid($"'logit_bias' has the key '{shown}'; keys must be token ids such as \"42\".", "logit_bias");
            }

            biases[tokenId] = JsonFields.Number(entry.Value, $"logit_bias.{tokenId}", -100, 100);
        }

        return biases.Count == 0 ? null : biases;
    }

    private static List<string>? ReadStop(JsonFields fields, int maxStops)
    {
        if (fields.Get("stop") is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return [CheckStop(value.GetString()!)];
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw JsonFields.WrongType("stop", "a string or an array of strings", value);
        }

        int count = value.GetArrayLength();
        if (count > maxStops)
        {
            throw JsonFields.TooMany("stop", count, maxStops);
        }

        var stops = new List<string>(count);
        foreach (JsonElement entry in value.EnumerateArray())
        {
            stops.Add(entry.ValueKind == JsonValueKind.String
                ? CheckStop(entry.GetString()!)
                : throw JsonFields.WrongType($"stop[{stops.Count}]", "a string", entry));
        }

        return stops.Count == 0 ? null : stops;
    }

    private static string CheckStop(string stop) => stop.Length switch
    {
        0 => throw ApiException.Invalid("'stop' has an empty string, which would stop everywhere; leave it out.", "stop"),
        > MaxStopCharacters => throw ApiException.Invalid($"'stop' has a string of {stop.Length} characters but the server allows {MaxStopCharacters}; shorten it.", "stop"),
        _ => stop,
    };

    private static List<int>? ReadStopTokenIds(JsonFields fields)
    {
        if (fields.Array("stop_token_ids", MaxStopTokenIds) is not { } value)
        {
            return null;
        }

        var ids = new List<int>(value.GetArrayLength());
        foreach (JsonElement entry in value.EnumerateArray())
        {
            ids.Add(JsonFields.Integer(entry, $"stop_token_ids[{ids.Count}]", 0, int.MaxValue));
        }

        return ids.Count == 0 ? null : ids;
    }
}
