using System.Text.Json;

namespace Fastgen.Engine.Text.Loading;

/// <summary>A part of tokenizer.json, or of another file beside it, with its path, so that every complaint names its place.</summary>
/// <param name="Source">The file's name.</param>
internal readonly record struct JsonPart(JsonElement Element, string Path, string Source = "tokenizer.json")
{
    /// <summary>Whether the part is absent or null.</summary>
    public bool IsNull => Element.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;

    /// <summary>A property; absent ones are null parts.</summary>
    public JsonPart this[string name] => new(
        Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out var value) ? value : default,
        Path.Length == 0 ? name : $"{Path}.{name}",
        Source);

    /// <summary>The elements of an array.</summary>
    public IEnumerable<JsonPart> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array)
        {
            throw Error("must be an array");
        }

        var (path, source) = (Path, Source);
        return Element.EnumerateArray().Select((item, index) => new JsonPart(item, $"{path}[{index}]", source));
    }

    /// <summary>The value as a string.</summary>
    public string String() => Element.ValueKind == JsonValueKind.String ? Element.GetString()! : throw Error("must be a string");

    /// <summary>The value as a string, or null.</summary>
    public string? OptionalString() => IsNull ? null : String();

    /// <summary>The value as a boolean.</summary>
    public bool Boolean() => Element.ValueKind is JsonValueKind.True or JsonValueKind.False ? Element.GetBoolean() : throw Error("must be true or false");

    /// <summary>The value as a boolean; <paramref name="fallback"/> when absent.</summary>
    public bool Boolean(bool fallback) => Element.ValueKind == JsonValueKind.Undefined ? fallback : Boolean();

    /// <summary>The value as an integer from 0 to <paramref name="max"/>.</summary>
    public int Integer(int max = int.MaxValue) =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var value) && value >= 0 && value <= max
            ? value
            : throw Error($"must be an integer from 0 to {max}");

    /// <summary>The value as one character, which may be a surrogate pair.</summary>
    public string Character()
    {
        var text = String();
        return text.Length > 0 && text.EnumerateRunes().Count() == 1 ? text : throw Error("must be a single character");
    }

    /// <summary>An exception about this part.</summary>
    public TokenizerFormatException Error(string what) => new($"{Source}: {(Path.Length == 0 ? "the root" : Path)} {what}; correct the file or fetch it again.");

    /// <summary>An exception about a kind of this part that is not supported.</summary>
    public TokenizerFormatException Unsupported(string type, string supported) =>
        new($"{Source}: {Path} has type \"{type}\", which is not supported; supported are {supported}.");
}
