using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fastgen.OpenAI.Requests;

/// <summary>Checks chat messages and brings them into the one form that chat templates are written for.</summary>
/// <remarks>Content parts become one string (joined by line feeds, as vLLM and llama.cpp do), <c>developer</c> becomes <c>system</c>,
/// and the arguments of tool calls become objects, because templates print them as JSON themselves.</remarks>
internal static class ChatMessages
{
    private const int MaxFields = 64;
    private const int MaxToolCalls = 128;
    private const int MaxArgumentDepth = 64;

    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonElement Read(JsonElement messages)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            writer.WriteStartArray();
            int index = 0;
            foreach (JsonElement message in messages.EnumerateArray())
            {
                WriteMessage(writer, message, $"messages[{index++}]");
            }

            writer.WriteEndArray();
        }

        var reader = new Utf8JsonReader(buffer.WrittenSpan, new JsonReaderOptions { MaxDepth = int.MaxValue });
        return JsonElement.ParseValue(ref reader);
    }

    private static void WriteMessage(Utf8JsonWriter writer, JsonElement message, string path)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw JsonFields.WrongType(path, "an object with role and content", message);
        }

        if (message.GetPropertyCount() > MaxFields)
        {
            throw JsonFields.TooMany(path, message.GetPropertyCount(), MaxFields);
        }

        var fields = new JsonFields(message, path + ".");
        string role = ReadRole(fields, path);
        string? content = ReadContent(fields, path);
        JsonElement? toolCalls = fields.Array("tool_calls", MaxToolCalls);
        bool hasToolCalls = toolCalls is { } calls && calls.GetArrayLength() > 0;
        if (content is null && !(role == "assistant" && hasToolCalls))
        {
            throw ApiException.Invalid($"'{path}.content' is missing; send a string or an array of text parts (only assistant messages with tool_calls go without).", path + ".content");
        }

        writer.WriteStartObject();
        writer.WriteString("role"u8, role);
        writer.WriteString("content"u8, content);
        if (hasToolCalls)
        {
            writer.WriteStartArray("tool_calls"u8);
            int index = 0;
            foreach (JsonElement call in toolCalls!.Value.EnumerateArray())
            {
                WriteToolCall(writer, call, $"{path}.tool_calls[{index++}]");
            }

            writer.WriteEndArray();
        }

        foreach (JsonProperty property in message.EnumerateObject())
        {
            if (!(property.NameEquals("role"u8) || property.NameEquals("content"u8) || property.NameEquals("tool_calls"u8)))
            {
                property.WriteTo(writer);
            }
        }

        writer.WriteEndObject();
    }

    private static string ReadRole(JsonFields fields, string path)
    {
        string role = fields.String("role") ?? throw ApiException.Invalid($"'{path}.role' is missing; send system, user, assistant or tool.", path + ".role");
        return role switch
        {
            "system" or "user" or "assistant" or "tool" or "function" => role,
            "developer" => "system",
            _ => throw ApiException.Invalid(
                $"'{path}.role' is '{(role.Length <= 40 ? role : role[..37] + "...")}'; it must be system, developer, user, assistant, tool or function.",
                path + ".role"),
        };
    }

    private static string? ReadContent(JsonFields fields, string path)
    {
        if (fields.Get("content") is not { } content)
        {
            return null;
        }

        if (content.ValueKind == JsonValueKind.String)
        {
            return content.GetString();
        }

        if (content.ValueKind != JsonValueKind.Array)
        {
            throw JsonFields.WrongType(path + ".content", "a string or an array of text parts", content);
        }

        var texts = new List<string>(content.GetArrayLength());
        foreach (JsonElement part in content.EnumerateArray())
        {
            string partPath = $"{path}.content[{texts.Count}]";
            if (part.ValueKind != JsonValueKind.Object)
            {
                throw JsonFields.WrongType(partPath, "an object such as {\"type\":\"text\",\"text\":\"...\"}", part);
            }

            var partFields = new JsonFields(part, partPath + ".");
            string? type = partFields.String("type");
            if (type != "text")
            {
                throw ApiException.Invalid(
                    $"'{partPath}.type' is {(type is null ? "missing" : $"'{(type.Length <= 40 ? type : type[..37] + "...")}'")}; only \"text\" is supported.",
                    partPath + ".type");
            }

            texts.Add(partFields.String("text") ?? throw ApiException.Invalid($"'{partPath}.text' is missing; send a string.", partPath + ".text"));
        }

        return texts.Count == 0
            ? throw ApiException.Invalid($"'{path}.content' is an empty array; send a string or at least one text part.", path + ".content")
            : string.Join('\n', texts);
    }

    private static void WriteToolCall(Utf8JsonWriter writer, JsonElement call, string path)
    {
        if (call.ValueKind != JsonValueKind.Object)
        {
            throw JsonFields.WrongType(path, "an object with id, type and function", call);
        }

        var fields = new JsonFields(call, path + ".");
        JsonFields function = fields.Object("function") ?? throw ApiException.Invalid($"'{path}.function' is missing; send its name and arguments.", path + ".function");
        string name = function.String("name") ?? throw ApiException.Invalid($"'{path}.function.name' is missing; send a string.", path + ".function.name");
        writer.WriteStartObject();
        if (fields.String("id") is { } id)
        {
            writer.WriteString("id"u8, id);
        }

        writer.WriteString("type"u8, fields.String("type") ?? "function");
        writer.WriteStartObject("function"u8);
        writer.WriteString("name"u8, name);
        writer.WritePropertyName("arguments"u8);
        WriteArguments(writer, function.Get("arguments"), path + ".function.arguments");
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteArguments(Utf8JsonWriter writer, JsonElement? arguments, string path)
    {
        if (arguments is not { } value)
        {
            writer.WriteStartObject();
            writer.WriteEndObject();
            return;
        }

        if (value.ValueKind == JsonValueKind.Object)
        {
            value.WriteTo(writer);
            return;
        }

        if (value.ValueKind != JsonValueKind.String)
        {
            throw JsonFields.WrongType(path, "a string of JSON", value);
        }

        string text = value.GetString()!;
        if (!TryWriteObject(writer, Encoding.UTF8.GetBytes(text)))
        {
            // A model's broken call is part of the conversation; the template gets it as it was.
            writer.WriteStringValue(text);
        }
    }

    private static bool TryWriteObject(Utf8JsonWriter writer, byte[] json)
    {
        try
        {
            using var parsed = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxArgumentDepth });
            if (parsed.RootElement.ValueKind != JsonValueKind.Object || JsonEscapes.FindHalfPair(json, MaxArgumentDepth) is not null)
            {
                return false;
            }

            parsed.RootElement.WriteTo(writer);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
