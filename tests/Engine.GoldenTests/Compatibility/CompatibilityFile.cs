using System.Globalization;
using System.Text;
using Fastgen.Engine.GoldenTests.Models;

namespace Fastgen.Engine.GoldenTests.Compatibility;

/// <summary>Reads and writes docs/compatibility.md.</summary>
internal static class CompatibilityFile
{
    private const string Introduction = """
        # Compatibility

        Written by the golden tests (`FASTGEN_WRITE_COMPATIBILITY=1`, test class `CompatibilityTests`); a test compares it with every run, so do not
        edit it by hand. The reference is HuggingFace transformers 5.17.0 with tokenizers 0.23.2 and jinja2 3.1.6. *Equal* means: the same token ids
        and decoded texts; the same bytes, or an error where the reference raises one; logits within 0.001 of float32 and the same greedy tokens.
        The last two tables are reference models that the tests write anew: into the folder of a multimodal model, of which the language model is
        read, or with weights rounded to another format. *Equal* means there: logits within 0.001 of the same weights in plain form.
        """;

    private static readonly (string Section, string Columns)[] Sections =
    [
        (TokenizerSection, "| tokenizer | kind | comparisons | result |"),
        (TemplateSection, "| chat template | source | renderings | result |"),
        (ArchitectureSection, "| case | architecture | greedy tokens | result |"),
        (QuantizationSection, "| case | format | greedy tokens | result |"),
        (WrapperSection, "| case | class | rows of logits | result |"),
        (RewrittenSection, "| case | format | rows of logits | result |"),
    ];

    public const string TokenizerSection = "Tokenizers";

    public const string TemplateSection = "Chat templates";

    public const string ArchitectureSection = "Architectures";

    public const string QuantizationSection = "Quantised checkpoints";

    public const string WrapperSection = "Language models of multimodal folders";

    public const string RewrittenSection = "Mixtures of experts in quantised form";

    public static string Path => System.IO.Path.Combine(GoldenFolder.RepositoryRoot, "docs", "compatibility.md");

    /// <summary>The rows of the file by section and name.</summary>
    public static Dictionary<(string Section, string Name), string> Read()
    {
        var rows = new Dictionary<(string, string), string>();
        var section = "";
        foreach (var line in File.ReadLines(Path))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                section = line[3..];
            }
            else if (line.Split('|', StringSplitOptions.TrimEntries) is [_, ['`', .. var name, '`'], _, _, var result, _])
            {
                rows.Add((section, name), result);
            }
        }

        return rows;
    }

    public static void Write(IReadOnlyList<CompatibilityRow> rows)
    {
        var text = new StringBuilder(Introduction.ReplaceLineEndings("\n")).Append('\n');
        foreach (var (section, columns) in Sections)
        {
            var own = rows.Where(row => row.Section == section).OrderBy(row => row.Name, StringComparer.Ordinal).ToList();
            var equal = own.Count(row => row.Result == CompatibilityRow.Equal);
            text.Append(CultureInfo.InvariantCulture, $"\n## {section}\n\n{equal} of {own.Count} equal.\n\n{columns}\n|---|---|---|---|\n");
            foreach (var row in own)
            {
                text.Append(CultureInfo.InvariantCulture, $"| `{row.Name}` | {row.Detail.Replace('|', '/')} | {row.Compared} | {row.Result} |\n");
            }
        }

        File.WriteAllText(Path, text.ToString());
    }
}
