using Fastgen.Engine.Text;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>Every tokenizer and variant of the golden data against what the reference makes of it.</summary>
public sealed class TokenizerGoldenTests
{
    public static TheoryData<string> Tokenizers => TextGoldens.Names(TextGoldens.TokenizerNames());

    public static TheoryData<string> Variants => TextGoldens.Names(TextGoldens.VariantNames());

    [Theory]
    [MemberData(nameof(Tokenizers))]
    public void TokenizerEqualsReference(string name)
    {
        Assert.SkipWhen(TextGoldens.Folder is null, TextGoldens.NoData);
        var result = TextGoldenResults.Tokenizer(name);
        Assert.Equal("", string.Join("\n", result.Differences));
        Assert.True(result.Compared > 100, $"only {result.Compared} comparisons");
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void VariantEqualsReference(string name)
    {
        Assert.SkipWhen(TextGoldens.Folder is null, TextGoldens.NoData);
        var golden = TextGoldens.ReadVariantGolden(name);
        if (golden.TryGetProperty("load_error", out _) || golden.TryGetProperty("run_error", out _))
        {
            Assert.Throws<TokenizerFormatException>(() => Tokenizer.Parse(TextGoldens.ReadVariant(name)).Encode("some text", addSpecialTokens: true));
            return;
        }

        var check = new TokenizerGoldenCheck(Tokenizer.Parse(TextGoldens.ReadVariant(name)), golden);
        Assert.Equal("", string.Join("\n", check.Run()));
        Assert.True(check.Compared > 20, $"only {check.Compared} comparisons");
    }
}
