using System.Text.Json;

namespace Fastgen.OpenAI.Requests;

/// <summary>Fields that change the answer and that the server cannot honour; ignoring them silently would be a lie.</summary>
internal static class UnsupportedFields
{
    /// <summary>vLLM's ways to say which tokens may come.</summary>
    private static readonly string[] Constraints =
        ["guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "allowed_token_ids", "bad_words"];

    public static void Refuse(JsonFields fields, ApiKind kind)
    {
        RefuseResponseFormat(fields);
        foreach (string name in Constraints)
        {
            RefuseIfSet(fields, name, "constrained output is not supported");
        }

        RefuseIfSet(fields, "prompt_logprobs", "log probabilities of the prompt are not supported");
        RefuseIfSet(fields, "use_beam_search", "beam search is not supported");
        RefuseIfSet(fields, "include_stop_str_in_output", "output ends before the stop string");
        RefuseIfSet(fields, "truncate_prompt_tokens", "prompts are not cut");
        if (fields.Boolean("skip_special_tokens") is false)
        {
            throw ApiException.Invalid("'skip_special_tokens' is false, which is not supported: special tokens are no part of the text; leave it out.", "skip_special_tokens");
        }

        if (kind == ApiKind.Chat)
        {
            RefuseChat(fields);
        }
        else
        {
            RefuseIfSet(fields, "suffix", "filling in the middle is not supported");
        }
    }

    private static void RefuseChat(JsonFields fields)
    {
        RefuseIfSet(fields, "functions", "send 'tools' instead");
        RefuseIfSet(fields, "function_call", "send 'tools' and 'tool_choice' instead");
        RefuseIfSet(fields, "chat_template", "the model's own chat template is used");
        RefuseIfSet(fields, "audio", "only text is generated");
        if (fields.Array("modalities", 16) is { } modalities)
        {
            foreach (JsonElement modality in modalities.EnumerateArray())
            {
                if (modality.ValueKind != JsonValueKind.String || !modality.ValueEquals("text"u8))
                {
                    throw ApiException.Invalid("'modalities' asks for more than text; only [\"text\"] is supported.", "modalities");
                }
            }
        }

        if (fields.Get("tool_choice") is not { } toolChoice)
        {
            return;
        }

        if (toolChoice.ValueKind is not (JsonValueKind.String or JsonValueKind.Object))
        {
            throw JsonFields.WrongType("tool_choice", "\"none\" or \"auto\"", toolChoice);
        }

        if (toolChoice.ValueKind == JsonValueKind.Object || !(toolChoice.ValueEquals("none"u8) || toolChoice.ValueEquals("auto"u8)))
        {
            throw ApiException.Invalid("'tool_choice' forces a tool call, which is not supported; use \"auto\" or \"none\".", "tool_choice");
        }
    }

    private static void RefuseResponseFormat(JsonFields fields)
    {
        if (fields.Object("response_format") is not { } format)
        {
            return;
        }

        string type = format.String("type") ?? throw ApiException.Invalid("'response_format.type' is missing; send \"text\".", "response_format.type");
        if (type != "text")
        {
            string shown = type.Length <= 40 ? type : type[..37] + "...";
            throw ApiException.Invalid($"'response_format.type' is '{shown}'; only \"text\" is supported.", "response_format.type");
        }
    }

    /// <summary>Null, false, empty strings and empty arrays ask for nothing: SDKs send them as defaults.</summary>
    private static void RefuseIfSet(JsonFields fields, string name, string reason)
    {
        if (fields.Get(name) is { } value && !(value.ValueKind == JsonValueKind.False
            || (value.ValueKind == JsonValueKind.String && value.ValueEquals(""u8))
            || (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0)))
        {
            throw ApiException.Invalid($"'{name}' is not supported: {reason}; leave it out.", name);
        }
    }
}
