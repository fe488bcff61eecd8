using System.Text;
using System.Text.Json;

namespace Fastgen.Engine.Text.Templates;

/// <summary>The chat templates and special tokens that a HuggingFace model folder holds.</summary>
/// <remarks>
/// Read as transformers reads them: <c>chat_template.jinja</c> and <c>additional_chat_templates/*.jinja</c> win over
/// <c>chat_template.json</c>, which wins over <c>chat_template</c> in <c>tokenizer_config.json</c> (one text, or a list
/// of <c>{name, template}</c>).
/// </remarks>
public sealed class ChatTemplateSet
{
    private const string DefaultName = "default";
    private const string ToolUseName = "tool_use";
    private static readonly string[] SpecialTokenKeys = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private readonly Dictionary<string, ChatTemplate> _templates = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _specialTokens = new(StringComparer.Ordinal);

    private ChatTemplateSet()
    {
    }

    /// <summary>Names of the templates; a folder with a single one calls it <c>default</c>.</summary>
    public IReadOnlyCollection<string> Names => _templates.Keys;

    /// <summary>Token that begins a text, or null.</summary>
    public string? BosToken => _specialTokens.GetValueOrDefault("bos_token");

    /// <summary>Token that ends a text, or null.</summary>
    public string? EosToken => _specialTokens.GetValueOrDefault("eos_token");

    /// <summary>All special tokens by their key (<c>bos_token</c>, <c>pad_token</c> …), as templates see them.</summary>
    public IReadOnlyDictionary<string, string> SpecialTokens => _specialTokens;

    /// <summary>Reads the templates of a model folder and parses them.</summary>
    /// <param name="tokenizer">Says what the special tokens are where no JSON file does; null says nothing.</param>
    /// <returns>Null when the folder has no chat template.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">A file is not the JSON it should be.</exception>
    /// <exception cref="ChatTemplateException">A template does not parse.</exception>
    public static ChatTemplateSet? LoadFolder(string folder, Tokenizer? tokenizer = null)
    {
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"Model folder '{folder}' does not exist; name the folder that holds tokenizer_config.json.");
        }

        var set = new ChatTemplateSet();
        foreach ((string key, string token) in tokenizer?.SpecialTokens ?? new Dictionary<string, string>())
        {
            set._specialTokens[key] = token;
        }

        using JsonDocument? config = ReadJson(Path.Combine(folder, "tokenizer_config.json"));
        set.AddSpecialTokens(ReadJson(Path.Combine(folder, "special_tokens_map.json")));
        set.AddSpecialTokens(config);
        set.AddTemplates(folder, config);
        return set._templates.Count == 0 ? null : set;
    }

    /// <summary>A set of one template, given as its text.</summary>
    /// <exception cref="ChatTemplateException">The template does not parse.</exception>
    internal static ChatTemplateSet FromText(string template)
    {
        var set = new ChatTemplateSet();
        set.Add(DefaultName, template, "the given text");
        return set;
    }

    /// <summary>Chooses a template as transformers does: the named one; else <c>tool_use</c> when there are tools; else <c>default</c>.</summary>
    /// <exception cref="ChatTemplateException">There is no such template, or several and none is the default.</exception>
    public ChatTemplate Select(string? name, bool hasTools)
    {
        if (name is not null)
        {
            return _templates.TryGetValue(name, out ChatTemplate? named)
                ? named
                : throw new ChatTemplateException($"There is no chat template named '{name}'; the model has: {string.Join(", ", Names)}.");
        }

        if (hasTools && _templates.TryGetValue(ToolUseName, out ChatTemplate? toolUse))
        {
            return toolUse;
        }

        return _templates.TryGetValue(DefaultName, out ChatTemplate? template)
            ? template
            : throw new ChatTemplateException($"The model has several chat templates and none is the default; name one of: {string.Join(", ", Names)}.");
    }

    private void AddTemplates(string folder, JsonDocument? config)
    {
        string single = Path.Combine(folder, "chat_template.jinja");
        string more = Path.Combine(folder, "additional_chat_templates");
        if (File.Exists(single))
        {
            Add(DefaultName, File.ReadAllText(single, Encoding.UTF8), single);
        }

        if (Directory.Exists(more))
        {
            foreach (string path in Directory.EnumerateFiles(more, "*.jinja").Order(StringComparer.Ordinal))
            {
                Add(Path.GetFileNameWithoutExtension(path), File.ReadAllText(path, Encoding.UTF8), path);
            }
        }

        if (_templates.Count == 0)
        {
            string json = Path.Combine(folder, "chat_template.json");
            using JsonDocument? document = ReadJson(json);
            AddFrom(document, json);
        }

        if (_templates.Count == 0)
        {
            AddFrom(config, Path.Combine(folder, "tokenizer_config.json"));
        }
    }

    private void AddFrom(JsonDocument? document, string path)
    {
        if (document is null || !document.RootElement.TryGetProperty("chat_template", out JsonElement template))
        {
            return;
        }

        switch (template.ValueKind)
        {
            case JsonValueKind.String:
                Add(DefaultName, template.GetString()!, path);
                break;
            case JsonValueKind.Array:
                foreach (JsonElement entry in template.EnumerateArray())
                {
                    if (entry.ValueKind != JsonValueKind.Object
                        || !entry.TryGetProperty("name", out JsonElement name) || name.ValueKind != JsonValueKind.String
                        || !entry.TryGetProperty("template", out JsonElement text) || text.ValueKind != JsonValueKind.String)
                    {
                        throw new InvalidDataException($"'{path}': chat_template is a list, so each entry must be an object with the texts 'name' and 'template'.");
                    }

                    Add(name.GetString()!, text.GetString()!, path);
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty entry in template.EnumerateObject().Where(entry => entry.Value.ValueKind == JsonValueKind.String))
                {
                    Add(entry.Name, entry.Value.GetString()!, path);
                }

                break;
            case JsonValueKind.Null:
                break;
            default:
                throw new InvalidDataException($"'{path}': chat_template is a {template.ValueKind}; it must be a text or a list of named texts.");
        }
    }

    private void Add(string name, string source, string path)
    {
        try
        {
            _templates[name] = ChatTemplate.Parse(source);
        }
        catch (ChatTemplateException e)
        {
            throw new ChatTemplateException(e.Kind, $"{e.Reason} (template '{name}' of '{path}')", e.Line, e);
        }
    }

    private void AddSpecialTokens(JsonDocument? document)
    {
        if (document is null)
        {
            return;
        }

        foreach (string key in SpecialTokenKeys)
        {
            if (!document.RootElement.TryGetProperty(key, out JsonElement token))
            {
                continue;
            }

            // An added token is written as an object with its text in "content".
            if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out JsonElement content))
            {
                token = content;
            }

            if (token.ValueKind == JsonValueKind.String)
            {
                _specialTokens[key] = token.GetString()!;
            }
            else if (token.ValueKind == JsonValueKind.Null)
            {
                _specialTokens.Remove(key);
            }
        }
    }

    private static JsonDocument? ReadJson(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path), Lenient);
            JsonStrings.Check(document.RootElement);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document
                : throw new InvalidDataException($"'{path}' holds a JSON {document.RootElement.ValueKind}; an object is expected.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"'{path}' is not valid JSON: {e.Message}", e);
        }
    }
}
