using System.Text.Json;

namespace Fastgen.Engine.Model;

/// <summary>Typed reads from a config.json, with errors that name file, key and value.</summary>
/// <remarks>A key that is null counts as absent, except where <see cref="IsNull"/> is asked: transformers keeps an explicit null where a class default is not null.</remarks>
internal sealed class ConfigJson
{
    private readonly JsonElement _root;
    private readonly string _prefix;

    private ConfigJson(JsonElement root, string source, string prefix)
    {
        _root = root;
        Source = source;
        _prefix = prefix;
    }

    /// <summary>The file, for messages.</summary>
    public string Source { get; }

    /// <exception cref="ModelLoadException">The file is absent, or is not a JSON object.</exception>
    public static ConfigJson Load(string path)
    {
        if (!File.Exists(path))
        {
            throw new ModelLoadException($"'{path}' does not exist; a model folder needs the config.json it was published with.");
        }

        return Parse(File.ReadAllBytes(path), path);
    }

    public static ConfigJson Parse(ReadOnlyMemory<byte> json, string source)
    {
        if (json.Span.StartsWith("\uFEFF"u8))
        {
            json = json[3..];
        }

        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new ModelLoadException($"{source}: the root is a JSON {document.RootElement.ValueKind}, not an object; download the file again.");
            }

            JsonStrings.Check(document.RootElement);
            return new ConfigJson(document.RootElement.Clone(), source, "");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new ModelLoadException($"{source}: not valid JSON ({exception.Message}); download the file again.", exception);
        }
    }

    /// <summary>An object without keys.</summary>
    public bool IsEmpty => !_root.EnumerateObject().MoveNext();

    /// <summary>Keys of this object in the file's order.</summary>
    public IEnumerable<string> Keys => _root.EnumerateObject().Select(property => property.Name);

    public bool Has(string key) => Find(key) is not null;

    /// <summary>The key is present with the value null.</summary>
    public bool IsNull(string key) => _root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>The key is absent, null or false; anything else that stands where true and a name may stand counts as set.</summary>
    public bool IsFalseOrAbsent(string key) => Find(key) is not { } value || value.ValueKind == JsonValueKind.False;

    public ConfigJson? Object(string key)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Object ? new ConfigJson(value, Source, _prefix + key + ".") : throw Bad(key, value, "an object");
    }

    public string? String(string key)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Bad(key, value, "a string");
    }

    public IReadOnlyList<string>? Strings(string key)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
        {
            throw Bad(key, value, "a list of strings");
        }

        return [.. value.EnumerateArray().Select(item => item.GetString()!)];
    }

    public bool? Boolean(string key)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Bad(key, value, "true or false");
    }

    /// <exception cref="ModelLoadException">Not a whole number in [<paramref name="min"/>, <paramref name="max"/>].</exception>
    public int? Integer(string key, int min, int max)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        // Some published files write whole numbers as 32768.0.
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number == Math.Floor(number) && number >= min && number <= max)
        {
            return (int)number;
        }

        throw Bad(key, value, $"a whole number from {min:N0} to {max:N0}");
    }

    /// <summary>One id or a list of ids, as eos_token_id comes.</summary>
    public IReadOnlyList<int> IntegerOrList(string key)
    {
        if (Find(key) is not { } value)
        {
            return [];
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var single))
        {
            return [single];
        }

        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out _)))
        {
            return [.. value.EnumerateArray().Select(item => item.GetInt32())];
        }

        throw Bad(key, value, "a token id or a list of token ids");
    }

    /// <exception cref="ModelLoadException">Not a finite number above <paramref name="above"/>.</exception>
    public double? Number(string key, double above)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) && number > above)
        {
            return number;
        }

        throw Bad(key, value, $"a finite number above {above}");
    }

    /// <exception cref="ModelLoadException">Not a list of finite numbers above <paramref name="above"/>.</exception>
    public IReadOnlyList<double>? Numbers(string key, double above)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.TryGetDouble(out var number) && double.IsFinite(number) && number > above))
        {
            return [.. value.EnumerateArray().Select(item => item.GetDouble())];
        }

        throw Bad(key, value, $"a list of finite numbers above {above}");
    }

    public ModelLoadException Error(string key, string problem) => new($"{Source}: '{_prefix}{key}' {problem}");

    public ModelLoadException Unsupported(string key, string value, string supported) =>
        new($"{Source}: '{_prefix}{key}' is '{value}', which is not supported; supported: {supported}.") { IsUnsupported = true };

    private JsonElement? Find(string key) =>
        _root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private ModelLoadException Bad(string key, JsonElement value, string expected)
    {
        var text = value.GetRawText();
        return Error(key, $"is {(text.Length > 60 ? text[..60] + "…" : text)}, expected {expected}; correct the file or download it again.");
    }
}
