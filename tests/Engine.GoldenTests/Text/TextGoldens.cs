using System.IO.Compression;
using System.Text.Json;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>Finds the text part of the golden data: FASTGEN_GOLDEN_DIR/text, by default ../shared/golden/text beside the repository.</summary>
internal static class TextGoldens
{
    private static readonly Lazy<Dictionary<string, string>> LazyStrings = new(ReadStrings);

    /// <summary>Why a test is skipped.</summary>
    public const string NoData = "no golden data: set FASTGEN_GOLDEN_DIR or put it at ../shared/golden";

    /// <summary>The folder, or null when there is none.</summary>
    public static string? Folder { get; } = FindFolder();

    /// <summary>Test strings by id.</summary>
    public static IReadOnlyDictionary<string, string> Strings => LazyStrings.Value;

    /// <summary>Names of the tokenizers that have both a file and a golden record.</summary>
    public static IEnumerable<string> TokenizerNames() => Folder is null ? [] : Directory
        .EnumerateFiles(Path.Combine(Folder, "goldens", "tokenizers"), "*.json")
        .Select(path => Path.GetFileNameWithoutExtension(path))
        .Where(name => File.Exists(TokenizerPath(name)))
        .Order(StringComparer.Ordinal);

    /// <summary>Names of the variants, from their golden records.</summary>
    public static IEnumerable<string> VariantNames()
    {
        if (Folder is null || !File.Exists(VariantGoldens))
        {
            return [];
        }

        using var goldens = JsonDocument.Parse(File.ReadAllBytes(VariantGoldens));
        return [.. goldens.RootElement.EnumerateObject().Select(property => property.Name)];
    }

    /// <summary>The content of a tokenizer file.</summary>
    public static byte[] ReadTokenizer(string name) => Unpack(TokenizerPath(name));

    /// <summary>Names for a theory. Without data one case remains, so that the skip and its reason show.</summary>
    public static TheoryData<string> Names(IEnumerable<string> names)
    {
        var data = new TheoryData<string>(names.ToArray());
        if (Folder is null)
        {
            data.Add("(none)");
        }

        return data;
    }

    /// <summary>The content of a gzip file.</summary>
    public static byte[] Unpack(string path)
    {
        using var file = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
        using var content = new MemoryStream();
        file.CopyTo(content);
        return content.ToArray();
    }

    /// <summary>The golden record of a tokenizer.</summary>
    public static JsonElement ReadTokenizerGolden(string name) =>
        JsonElement.Parse(File.ReadAllBytes(Path.Combine(Folder!, "goldens", "tokenizers", name + ".json")));

    /// <summary>The content of a variant file.</summary>
    public static byte[] ReadVariant(string name) => File.ReadAllBytes(Path.Combine(Folder!, "variants", name + ".json"));

    /// <summary>The golden record of a variant.</summary>
    public static JsonElement ReadVariantGolden(string name) => JsonElement.Parse(File.ReadAllBytes(VariantGoldens)).GetProperty(name);

    private static string VariantGoldens => Path.Combine(Folder!, "goldens", "variants.json");

    private static string TokenizerPath(string name) => Path.Combine(Folder!, "tokenizers", name + ".json.gz");

    private static Dictionary<string, string> ReadStrings()
    {
        using var strings = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder!, "strings.json")));
        return strings.RootElement.EnumerateArray().ToDictionary(
            entry => entry.GetProperty("id").GetString()!,
            entry => entry.GetProperty("text").GetString()!,
            StringComparer.Ordinal);
    }

    private static string? FindFolder()
    {
        var root = Environment.GetEnvironmentVariable("FASTGEN_GOLDEN_DIR");
        if (string.IsNullOrEmpty(root))
        {
            var folder = AppContext.BaseDirectory;
            while (folder is not null && !File.Exists(Path.Combine(folder, "Fastgen.Aspire.sln")))
            {
                folder = Path.GetDirectoryName(folder);
            }

            root = folder is null ? "" : Path.Combine(folder, "..", "shared", "golden");
        }

        var text = Path.Combine(root, "text");
        return Directory.Exists(text) ? text : null;
    }
}
