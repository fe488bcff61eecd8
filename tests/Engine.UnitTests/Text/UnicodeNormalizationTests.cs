using System.Diagnostics;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.UnitTests.Text;

public sealed class UnicodeNormalizationTests
{
    // Examples from Unicode Standard Annex 15 and the code charts: text, NFC, NFD, NFKC, NFKD.
    [Theory]
    [InlineData("\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307")]
    [InlineData("\uFB01", "\uFB01", "\uFB01", "fi", "fi")]
    [InlineData("\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A")]
    [InlineData("e\u0301 \u00E9", "\u00E9 \u00E9", "e\u0301 e\u0301", "\u00E9 \u00E9", "e\u0301 e\u0301")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("\uD55C\uAE00", "\uD55C\uAE00", "\u1112\u1161\u11AB\u1100\u1173\u11AF", "\uD55C\uAE00", "\u1112\u1161\u11AB\u1100\u1173\u11AF")]
    [InlineData("\u1112\u1161\u11AB", "\uD55C", "\u1112\u1161\u11AB", "\uD55C", "\u1112\u1161\u11AB")]
    [InlineData("a\u0302\u0323", "\u1EAD", "a\u0323\u0302", "\u1EAD", "a\u0323\u0302")]
    [InlineData("\uD834\uDD5E", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65")]
    [InlineData("\uD804\uDD31\uD804\uDD27", "\uD804\uDD2E", "\uD804\uDD31\uD804\uDD27", "\uD804\uDD2E", "\uD804\uDD31\uD804\uDD27")]
    [InlineData("\uFF21\u2460\uFDFA", "\uFF21\u2460\uFDFA", "\uFF21\u2460\uFDFA", "A1\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064A\u0647 \u0648\u0633\u0644\u0645", "A1\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064A\u0647 \u0648\u0633\u0644\u0645")]
    [InlineData("\u0344x\u0F77", "\u0308\u0301x\u0F77", "\u0308\u0301x\u0F77", "\u0308\u0301x\u0FB2\u0F71\u0F80", "\u0308\u0301x\u0FB2\u0F71\u0F80")]
    public void Forms(string text, string nfc, string nfd, string nfkc, string nfkd)
    {
        Assert.Equal(nfc, Normalization.Normalize(text, compatible: false, compose: true));
        Assert.Equal(nfd, Normalization.Normalize(text, compatible: false, compose: false));
        Assert.Equal(nfkc, Normalization.Normalize(text, compatible: true, compose: true));
        Assert.Equal(nfkd, Normalization.Normalize(text, compatible: true, compose: false));
    }

    [Fact]
    public void FormsAreStableAndCarryEachOther()
    {
        var random = new Random(3);
        for (var round = 0; round < 2000; round++)
        {
            var text = string.Concat(Enumerable.Range(0, 12).Select(_ => char.ConvertFromUtf32(random.Next(4) switch
            {
                0 => random.Next(0x20, 0x250),
                1 => random.Next(0x300, 0x370),
                2 => random.Next(0x1100, 0x1200),
                _ => random.Next(0x900, 0xD7FF),
            })));
            var nfd = Normalization.Normalize(text, compatible: false, compose: false);
            var nfc = Normalization.Normalize(text, compatible: false, compose: true);
            Assert.Equal(nfc, Normalization.Normalize(nfc, compatible: false, compose: true));
            Assert.Equal(nfc, Normalization.Normalize(nfd, compatible: false, compose: true));
            Assert.Equal(nfd, Normalization.Normalize(nfc, compatible: false, compose: false));

            // Windows that begin in mid-text must see what stands before them.
            Assert.Equal("\n" + nfc, Normalization.Normalize("\n" + nfd, compatible: false, compose: true));
        }
    }

    [Fact]
    public void PlainTextIsNotCopied()
    {
        const string Text = "plain text, 世界, Ελλάδα";
        Assert.Same(Text, Normalization.Normalize(Text, compatible: false, compose: true));
    }

    [Fact]
    public void AMillionMarksAreSortedInTime()
    {
        var clock = Stopwatch.StartNew();
        var text = "a" + string.Concat(Enumerable.Repeat("\u0301\u0316", 500_000));
        var result = Normalization.Normalize(text, compatible: false, compose: false);
        Assert.Equal("a\u0316\u0316", result[..3]);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"took {clock.Elapsed}");
    }
}
