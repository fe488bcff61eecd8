using System.Text.Json;
using Fastgen.Engine.Text.AddedTokens;
using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.Loading;

/// <summary>What the files beside a tokenizer.model or tekken.json say: tokenizer_config.json, special_tokens_map.json and added_tokens.json.</summary>
internal sealed class TokenizerSettings
{
    private const int MaxFileBytes = 64 << 20;
    private static readonly string[] SpecialKeys = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    private readonly Dictionary<string, AddedToken> _named = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AddedToken> _tokens = new(StringComparer.Ordinal);

    private TokenizerSettings()
    {
    }

    /// <summary>No files.</summary>
    public static TokenizerSettings None { get; } = new();

    /// <summary><c>legacy</c>: Llama's first tokenizer puts a space in front of every part between added tokens.</summary>
    public bool Legacy { get; private set; } = true;

    /// <summary><c>add_prefix_space</c>.</summary>
    public bool AddPrefixSpace { get; private set; } = true;

    /// <summary><c>add_bos_token</c>.</summary>
    public bool AddBos { get; private set; } = true;

    /// <summary><c>add_eos_token</c>.</summary>
    public bool AddEos { get; private set; }

    /// <summary>Tokens that are looked for in the text.</summary>
    public IReadOnlyCollection<AddedToken> Tokens => _tokens.Values;

    /// <summary>The token of a key such as <c>bos_token</c>, or null.</summary>
    public string? Named(string key) => _named.GetValueOrDefault(key)?.Content;

    /// <summary>Reads what lies in a folder.</summary>
    /// <exception cref="TokenizerFormatException">A file is damaged.</exception>
    public static TokenizerSettings LoadFolder(string folder)
    {
        var settings = new TokenizerSettings();
        var config = Read(folder, "tokenizer_config.json");
        settings.ReadNamed(Read(folder, "special_tokens_map.json"));
        settings.ReadNamed(config);
        settings.Legacy = Flag(config["legacy"], true);
        settings.AddPrefixSpace = Flag(config["add_prefix_space"], true);
        settings.AddBos = Flag(config["add_bos_token"], true);
        settings.AddEos = Flag(config["add_eos_token"], false);
        if (config["added_tokens_decoder"].Element.ValueKind == JsonValueKind.Object)
        {
            settings.ReadDecoder(config["added_tokens_decoder"]);
        }
        else
        {
            settings.ReadAdded(Read(folder, "added_tokens.json"));
        }

        foreach (var token in settings._named.Values)
        {
            settings._tokens.TryAdd(token.Content, token);
        }

        return settings;
    }

    private static JsonPart Read(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        if (!File.Exists(path))
        {
            return new JsonPart(default, "", name);
        }

        if (new FileInfo(path).Length is var length and > MaxFileBytes)
        {
            throw new TokenizerFormatException($"{name} has {length:N0} bytes, but at most {MaxFileBytes:N0} are read; is this the right file?");
        }

        return JsonFile.Parse(File.ReadAllBytes(path), name);
    }

    private static bool Flag(JsonPart part, bool fallback) => part.IsNull ? fallback : part.Boolean();

    private void ReadNamed(JsonPart file)
    {
        foreach (var key in SpecialKeys)
        {
            if (ReadToken(file[key]) is { } token)
            {
                _named[key] = token;
            }
            else if (file[key].Element.ValueKind == JsonValueKind.Null)
            {
                _named.Remove(key);
            }
        }

        if (file["additional_special_tokens"].Element.ValueKind == JsonValueKind.Array)
        {
            foreach (var part in file["additional_special_tokens"].Items())
            {
                if (ReadToken(part) is { } token)
                {
                    _tokens[token.Content] = token;
                }
            }
        }
    }

    // A special token is its text, or an object with its text and flags.
    private static AddedToken? ReadToken(JsonPart part) => part.Element.ValueKind switch
    {
        JsonValueKind.String => Special(part.String()),
        JsonValueKind.Object => Special(part["content"].String()) is { } token ? ReadFlags(part, token) : null,
        _ => null,
    };

    private static AddedToken? Special(string content) =>
        content.Length == 0 ? null : new AddedToken(content, SingleWord: false, StripLeft: false, StripRight: false, Normalized: false, Special: true);

    private static AddedToken ReadFlags(JsonPart part, AddedToken token) => token with
    {
        SingleWord = Flag(part["single_word"], false),
        StripLeft = Flag(part["lstrip"], false),
        StripRight = Flag(part["rstrip"], false),
    };

    private void ReadDecoder(JsonPart part)
    {
        foreach (var entry in part.Element.EnumerateObject())
        {
            var token = new JsonPart(entry.Value, $"{part.Path}.{entry.Name}", part.Source);
            if (!int.TryParse(entry.Name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var id) || id > Vocabulary.MaxId)
            {
                throw token.Error($"is not an id from 0 to {Vocabulary.MaxId}");
            }

            if (Special(token["content"].String()) is { } added)
            {
                _tokens[added.Content] = ReadFlags(token, added) with { Special = Flag(token["special"], false), FixedId = id };
            }
        }
    }

    private void ReadAdded(JsonPart file)
    {
        if (file.Element.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (var entry in file.Element.EnumerateObject())
        {
            var id = new JsonPart(entry.Value, entry.Name, file.Source).Integer(Vocabulary.MaxId);
            if (Special(entry.Name) is { } added)
            {
                var known = _tokens.GetValueOrDefault(entry.Name) ?? _named.Values.FirstOrDefault(token => token.Content == entry.Name);
                _tokens[entry.Name] = (known ?? added with { Special = false }) with { FixedId = id };
            }
        }
    }
}
