using System.Text.Json;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads the smaller JSON files of a tokenizer as one document.</summary>
internal static class JsonFile
{
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 64 };

    /// <summary>The root object.</summary>
    /// <param name="name">The file's name, for messages.</param>
    /// <exception cref="TokenizerFormatException">The content is no JSON object.</exception>
    public static JsonPart Parse(ReadOnlyMemory<byte> json, string name)
    {
        if (json.Span.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
        {
            json = json[3..];
        }

        try
        {
            using var document = JsonDocument.Parse(json, Lenient);
            JsonStrings.Check(document.RootElement);
            var root = new JsonPart(document.RootElement.Clone(), "", name);
            return root.Element.ValueKind == JsonValueKind.Object ? root : throw root.Error("must be an object");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // The JSON reader answers bytes that are not UTF-8 with InvalidOperationException.
            throw new TokenizerFormatException($"{name} is not valid JSON: {error.Message} Fetch the file again.", error);
        }
    }
}
