using System.Text.Json;
using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Loading;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.Model.Inspection;

/// <summary>Looks at a folder's tokenizer and chat templates.</summary>
/// <param name="guard">Runs a read and keeps what goes wrong; returns null then.</param>
internal sealed class TextInspector(string folder, Func<string, Func<object?>, object?> guard)
{
    private Tokenizer? _tokenizer;

    /// <summary>The tokenizer, or null when the folder has none.</summary>
    public TokenizerReport? InspectTokenizer()
    {
        if (Tokenizer.FindFile(folder) is not { } path)
        {
            return null;
        }

        Tokenizer? tokenizer = _tokenizer = (Tokenizer?)guard("tokenizer", () => Tokenizer.FromFile(path));
        var report = new TokenizerReport { File = Path.GetFileName(path), IsSupported = tokenizer is not null, VocabularySize = tokenizer?.VocabularySize };

        // What is wrong with the file has been said already.
        try
        {
            return report.File switch
            {
                "tokenizer.json" => DescribeJson(report, File.ReadAllBytes(path)),
                "tekken.json" => report with { Model = "BPE (Tekken)", AddedTokens = CountTekken(File.ReadAllBytes(path)) },
                _ => DescribeSentencePiece(report, SentencePieceFile.Parse(File.ReadAllBytes(path))),
            };
        }
        catch (Exception exception) when (exception is TokenizerFormatException or JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return report;
        }
    }

    /// <summary>The chat templates, with the special tokens of the tokenizer that <see cref="InspectTokenizer"/> found.</summary>
    public IReadOnlyList<TemplateReport> InspectTemplates()
    {
        if (guard("template", () => ChatTemplateSet.LoadFolder(folder, _tokenizer)) is not ChatTemplateSet set)
        {
            return [];
        }

        var reports = new List<TemplateReport>();
        foreach (string name in set.Names.Order(StringComparer.Ordinal))
        {
            if (guard("template", () => new TemplateProbe(name, set.Select(name, hasTools: false), set).Run()) is TemplateReport report)
            {
                reports.Add(report);
            }
        }

        return reports;
    }

    private static TokenizerReport DescribeJson(TokenizerReport report, byte[] bytes)
    {
        JsonElement root = JsonFile.Parse(bytes, report.File).Element;
        JsonElement model = Part(root, "model");
        return report with
        {
            Model = Type(model) is { } type && Part(model, "byte_fallback").ValueKind == JsonValueKind.True ? type + ", byte fallback" : Type(model),
            Normalizers = Types(Part(root, "normalizer"), "normalizers"),
            PreTokenizers = Types(Part(root, "pre_tokenizer"), "pretokenizers"),
            PostProcessors = Types(Part(root, "post_processor"), "processors"),
            Decoders = Types(Part(root, "decoder"), "decoders"),
            AddedTokens = Part(root, "added_tokens") is { ValueKind: JsonValueKind.Array } added ? added.GetArrayLength() : 0,
        };
    }

    private static int CountTekken(byte[] bytes) =>
        Part(Part(JsonFile.Parse(bytes, "tekken.json").Element, "config"), "default_num_special_tokens") is { ValueKind: JsonValueKind.Number } count && count.TryGetInt32(out int value) ? value : 0;

    private static TokenizerReport DescribeSentencePiece(TokenizerReport report, SentencePieceFile file)
    {
        string[] rules =
        [
            .. file.CharacterMap.Length > 0 ? ["character map"] : Array.Empty<string>(),
            .. file.RemoveExtraSpaces ? ["remove extra spaces"] : Array.Empty<string>(),
            .. file.AddDummyPrefix ? ["space in front"] : Array.Empty<string>(),
        ];
        return report with
        {
            Model = $"SentencePiece {(file.IsBpe ? "BPE" : "Unigram")}{(file.ByteFallback ? ", byte fallback" : "")}",
            Normalizers = rules,
            AddedTokens = file.Pieces.Count(piece => piece.Type is SentencePieceType.Control or SentencePieceType.UserDefined),
        };
    }

    private static List<string> Types(JsonElement part, string parts)
    {
        if (Type(part) is not { } type)
        {
            return [];
        }

        return type == "Sequence" && Part(part, parts) is { ValueKind: JsonValueKind.Array } items
            ? [.. items.EnumerateArray().SelectMany(item => Types(item, parts))]
            : [type];
    }

    private static string? Type(JsonElement part) => Part(part, "type") is { ValueKind: JsonValueKind.String } type ? type.GetString() : null;

    private static JsonElement Part(JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out JsonElement value) ? value : default;
}
