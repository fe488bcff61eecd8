using System.Diagnostics;
using Fastgen.Engine.Text;

namespace Fastgen.Engine.UnitTests.Text;

/// <summary>A megabyte without any word boundary takes no longer than it may, in every kind of tokenizer.</summary>
public sealed class HostileTextTests
{
    private const int Length = 1 << 20;

    // Quadratic time would be hours; a busy machine is far below this.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly Dictionary<string, Func<Tokenizer>> Tokenizers = new(StringComparer.Ordinal)
    {
        ["byte-level"] = () => SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel()),
        ["byte fallback"] = () => SyntheticTokenizer.Load(SyntheticTokenizer.ByteFallback()),
        ["tekken"] = () => Tokenizer.ParseTekken(SyntheticTekken.Bytes(SyntheticTekken.File())),
        ["SentencePiece BPE"] = () => Tokenizer.ParseSentencePiece(SentencePieceBytes.Model(bpe: true, byteFallback: true)),
        ["SentencePiece Unigram"] = () => Tokenizer.ParseSentencePiece(SentencePieceBytes.Model(bpe: false, byteFallback: true)),
    };

    public static TheoryData<string> Names => [.. Tokenizers.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void MegabytesWithoutBoundaries(string name)
    {
        var tokenizer = Tokenizers[name]();
        foreach (var unit in (string[])["e", "th", "quick", "世", "\u0301", "!"])
        {
            var text = string.Concat(Enumerable.Repeat(unit, Length / unit.Length));
            var start = Stopwatch.GetTimestamp();
            var ids = tokenizer.Encode(text, addSpecialTokens: false);
            Assert.Equal(text, tokenizer.Decode(ids, skipSpecialTokens: true));
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, $"{name}, {unit}: {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s");
        }
    }

    [Fact]
    public void BatchesGiveWhatSingleTextsGive()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel());
        var texts = Enumerable.Range(0, 300).Select(i => SyntheticTokenizer.RandomText(new Random(i), 1 + (i * 7))).ToList();
        var expected = texts.Select(text => tokenizer.Encode(text, addSpecialTokens: true)).ToArray();
        Assert.Equal(expected, tokenizer.EncodeBatch(texts, addSpecialTokens: true));
        Assert.Equal(expected, tokenizer.EncodeBatch(texts, addSpecialTokens: true, threads: 3));
        Assert.Empty(tokenizer.EncodeBatch([], addSpecialTokens: true));
    }

    [Fact]
    public void BatchesFailAsSingleTextsDo()
    {
        var file = SyntheticTokenizer.File(SyntheticTokenizer.Characters("ab"));
        file["model"]!["unk_token"] = "<missing>";
        var tokenizer = SyntheticTokenizer.Load(file);
        Assert.Contains("<missing>", Assert.Throws<TokenizerFormatException>(() => tokenizer.EncodeBatch(["a", "x", "b", "y"], addSpecialTokens: false)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.EncodeBatch(["a"], addSpecialTokens: false, threads: -1));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => tokenizer.EncodeBatch(["a"], addSpecialTokens: false, cancellationToken: cancelled.Token));
    }
}
