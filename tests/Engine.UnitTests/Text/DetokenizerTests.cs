using System.Text.Json.Nodes;
using Fastgen.Engine.Text;

namespace Fastgen.Engine.UnitTests.Text;

public sealed class DetokenizerTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true},{"type":"Replace","pattern":{"String":"the"},"content":"X"},{"type":"Strip","content":" ","start":1,"stop":2}]}""")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"Regex":"t.e"},"content":"X"}]}""")]
    [InlineData("""{"type":"Metaspace","replacement":"Ġ","prepend_scheme":"always"}""")]
    [InlineData("""{"type":"BPEDecoder","suffix":"e"}""")]
    [InlineData("""{"type":"WordPiece","prefix":"o","cleanup":true}""")]
    [InlineData("null")]
    public void ChunksTogetherEqualDecode(string? decoder)
    {
        var file = SyntheticTokenizer.ByteLevel();
        if (decoder is not null)
        {
            file["decoder"] = JsonNode.Parse(decoder);
        }

        SyntheticTokenizer.AddToken(file, "<|end|>", special: true);
        var tokenizer = SyntheticTokenizer.Load(file);
        var random = new Random(6);
        for (var round = 0; round < 200; round++)
        {
            var skip = random.Next(2) == 0;
            var ids = round % 2 == 0
                ? tokenizer.Encode(SyntheticTokenizer.RandomText(random, 30) + " the other <|end|>the  ", addSpecialTokens: false)
                : [.. Enumerable.Range(0, random.Next(20)).Select(_ => random.Next(tokenizer.VocabularySize + 3))];
            var detokenizer = new IncrementalDetokenizer(tokenizer, skip, []);
            var chunks = ids.Select(detokenizer.Append).ToList();
            chunks.Add(detokenizer.Flush());
            Assert.Equal(tokenizer.Decode(ids, skip), string.Concat(chunks));
            Assert.All(chunks, chunk => Assert.False(chunk.Length > 0 && (char.IsHighSurrogate(chunk[^1]) || char.IsLowSurrogate(chunk[0]))));
        }
    }

    [Fact]
    public void CharactersComeWhole()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel(merges: 0));
        var detokenizer = new IncrementalDetokenizer(tokenizer, skipSpecialTokens: false, []);
        Assert.Equal(["a", "", "", "", "👩", "b"], tokenizer.Encode("a👩b", addSpecialTokens: false).Select(detokenizer.Append));
        Assert.Equal("", detokenizer.Append(tokenizer.Encode("é", addSpecialTokens: false)[0]));
        Assert.Equal("\uFFFD", detokenizer.Flush());
        Assert.Throws<InvalidOperationException>(() => detokenizer.Append(1));
    }

    [Fact]
    public void AnInvalidByteDoesNotHoldTheStream()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel(merges: 0));
        var detokenizer = new IncrementalDetokenizer(tokenizer, skipSpecialTokens: false, []);
        var lead = tokenizer.Encode("é", addSpecialTokens: false)[0];
        var a = tokenizer.Encode("a", addSpecialTokens: false)[0];
        Assert.Equal("", detokenizer.Append(lead));
        Assert.Equal("\uFFFDa", detokenizer.Append(a));

        // Even when every token ends within a character, text comes out before the end.
        Assert.Contains(Enumerable.Repeat(lead, 1000).Select(detokenizer.Append), chunk => chunk.Length > 0);
    }

    [Fact]
    public void APromptTailKeepsTheLeadingSpace()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteFallback());
        var the = tokenizer.TokenToId("▁the")!.Value;
        Assert.Equal("the", new IncrementalDetokenizer(tokenizer, skipSpecialTokens: true, []).Append(the));
        Assert.Equal(" the", new IncrementalDetokenizer(tokenizer, skipSpecialTokens: true, [the]).Append(the));
    }

    [Fact]
    public void ByteFallbackCharactersComeAsTheyComplete()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteFallback());
        var detokenizer = new IncrementalDetokenizer(tokenizer, skipSpecialTokens: true, []);
        int Byte(string hex) => tokenizer.TokenToId($"<0x{hex}>")!.Value;
        Assert.Equal(["", "", "€", "", "é"], new[] { "E2", "82", "AC", "C3", "A9" }.Select(hex => detokenizer.Append(Byte(hex))));
        Assert.Equal("", detokenizer.Append(Byte("C3")));
        Assert.Equal("\uFFFD", detokenizer.Flush());
    }
}
