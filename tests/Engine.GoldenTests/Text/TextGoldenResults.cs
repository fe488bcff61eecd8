using System.Collections.Concurrent;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>Comparisons with the text goldens, each made once for all tests that ask.</summary>
internal static class TextGoldenResults
{
    private static readonly ConcurrentDictionary<string, Lazy<GoldenResult>> Tokenizers = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, Lazy<GoldenResult>> Templates = new(StringComparer.Ordinal);

    /// <summary>A tokenizer against its record.</summary>
    public static GoldenResult Tokenizer(string name) => Tokenizers.GetOrAdd(name, _ => new Lazy<GoldenResult>(() =>
    {
        var check = new TokenizerGoldenCheck(Engine.Text.Tokenizer.Parse(TextGoldens.ReadTokenizer(name)), TextGoldens.ReadTokenizerGolden(name));
        var differences = check.Run();
        return new GoldenResult(check.Compared, differences);
    })).Value;

    /// <summary>A chat template against what the reference rendered.</summary>
    public static GoldenResult Template(string name) => Templates.GetOrAdd(name, _ => new Lazy<GoldenResult>(() => TemplateGoldenCheck.Run(name))).Value;
}
