using System.Buffers;
using System.Text.Json;
using Fastgen.Contracts;

namespace Fastgen.OpenAI.Requests;

/// <summary>Reads the body of <c>POST /v1/chat/completions</c>.</summary>
internal static class ChatRequestReader
{
    public static ApiRequest Read(JsonElement body, RequestEnvelope envelope, OpenAiOptions options)
    {
        var fields = new JsonFields(body);
        UnsupportedFields.Refuse(fields, ApiKind.Chat);
        JsonElement messages = fields.Array("messages", options.MaxMessages)
            ?? throw ApiException.Invalid("'messages' is missing; send an array of messages with role and content.", "messages");
        if (messages.GetArrayLength() == 0)
        {
            throw ApiException.Invalid("'messages' is empty; send at least one message.", "messages");
        }

        int choices = EnvelopeFields.ReadChoices(fields, prompts: 1, options);
        bool stream = EnvelopeFields.ReadStream(fields, out bool includeUsage);
        // max_completion_tokens is the newer name and wins; both are checked.
        int? maxTokens = fields.Integer("max_tokens", 1, int.MaxValue);
        int? maxCompletionTokens = fields.Integer("max_completion_tokens", 1, int.MaxValue);
        var generation = new GenerationRequest
        {
            Id = envelope.Id,
            Model = envelope.Model,
            Messages = ChatMessages.Read(messages),
            Tools = ReadTools(fields, options.MaxTools),
            TemplateArguments = ReadTemplateArguments(fields),
            Choices = choices,
            Sampling = SamplingFields.Read(
                fields,
                options,
                maxCompletionTokens ?? maxTokens,
                maxCompletionTokens is null ? "max_tokens" : "max_completion_tokens",
                ReadLogprobs(fields)),
            TraceParent = envelope.TraceParent,
        };
        return new ApiRequest(ApiKind.Chat, envelope.Id, envelope.CreatedUnixSeconds, envelope.Model, [generation], choices, stream, includeUsage, null);
    }

    private static int? ReadLogprobs(JsonFields fields)
    {
        bool logprobs = fields.Boolean("logprobs") ?? false;
        int? top = fields.Integer("top_logprobs", 0, 20);
        if (top > 0 && !logprobs)
        {
            throw ApiException.Invalid($"'top_logprobs' is {top} but 'logprobs' is not true; set it.", "top_logprobs");
        }

        return logprobs ? top ?? 0 : null;
    }

    private static JsonElement? ReadTools(JsonFields fields, int maxTools)
    {
        if (fields.Array("tools", maxTools) is not { } tools || tools.GetArrayLength() == 0)
        {
            return null;
        }

        int index = 0;
        foreach (JsonElement tool in tools.EnumerateArray())
        {
            string path = $"tools[{index++}]";
            if (tool.ValueKind != JsonValueKind.Object)
            {
                throw JsonFields.WrongType(path, "an object with type and function", tool);
            }

            var toolFields = new JsonFields(tool, path + ".");
            string? type = toolFields.String("type");
            if (type is not null and not "function")
            {
                throw ApiException.Invalid($"'{path}.type' must be \"function\"; no other tools are supported.", path + ".type");
            }

            JsonFields function = toolFields.Object("function")
                ?? throw ApiException.Invalid($"'{path}.function' is missing; send its name, description and parameters.", path + ".function");
            if (string.IsNullOrEmpty(function.String("name")))
            {
                throw ApiException.Invalid($"'{path}.function.name' is missing; send a string.", path + ".function.name");
            }

            function.Object("parameters");
        }

        // "none" forbids calls; a template that does not see the tools cannot make the model call them.
        return fields.Get("tool_choice") is { ValueKind: JsonValueKind.String } choice && choice.ValueEquals("none"u8) ? null : tools.Clone();
    }

    /// <summary>vLLM's <c>chat_template_kwargs</c>, and the two of its fields that also go to the template.</summary>
    private static JsonElement? ReadTemplateArguments(JsonFields fields)
    {
        JsonElement? arguments = fields.Get("chat_template_kwargs");
        if (arguments is { ValueKind: not JsonValueKind.Object } wrong)
        {
            throw JsonFields.WrongType("chat_template_kwargs", "an object", wrong);
        }

        bool? addGenerationPrompt = fields.Boolean("add_generation_prompt");
        bool? continueFinalMessage = fields.Boolean("continue_final_message");
        if (addGenerationPrompt is null && continueFinalMessage is null)
        {
            return arguments?.Clone();
        }

        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            if (arguments is { } given)
            {
                foreach (JsonProperty argument in given.EnumerateObject())
                {
                    argument.WriteTo(writer);
                }
            }

            // The last of two equal names counts.
            if (addGenerationPrompt is { } add)
            {
                writer.WriteBoolean("add_generation_prompt"u8, add);
            }

            if (continueFinalMessage is { } continued)
            {
                writer.WriteBoolean("continue_final_message"u8, continued);
            }

            writer.WriteEndObject();
        }

        return JsonElement.Parse(buffer.WrittenSpan);
    }
}
