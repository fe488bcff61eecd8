using System.Text;
using Fastgen.Engine.Text;

namespace Fastgen.Engine.UnitTests.Text;

public sealed class TokenizerFormatTests
{
    [Theory]
    [InlineData("{}", "model")]
    [InlineData("[]", "root")]
    [InlineData("", "JSON")]
    [InlineData("""{"model":{"type":"WordPiece","vocab":{"a":0}}}""", "WordPiece")]
    [InlineData("""{"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}""", "WordLevel")]
    [InlineData("""{"model":{"type":"BPE","dropout":0.1,"vocab":{"a":0},"merges":[]}}""", "dropout")]
    [InlineData("""{"model":{"type":"BPE","vocab":["a"],"merges":[]}}""", "vocab")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "vocab")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":4000000000},"merges":[]}}""", "vocab")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}}""", "merges[0]")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["aa"]}}""", "merges[0]")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}""", "merges[0]")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0}}}""", "merges")]
    [InlineData("""{"model":{"type":"Unigram","unk_id":3,"vocab":[["a",0.5]]}}""", "unk_id")]
    [InlineData("""{"model":{"type":"Unigram","unk_id":0,"vocab":[["a"]]}}""", "vocab[0]")]
    [InlineData("""{"version":"2.0","model":{"type":"BPE","vocab":{},"merges":[]}}""", "version")]
    [InlineData("""{"normalizer":{"type":"Nope"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "Nope")]
    [InlineData("""{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Removed","invert":false},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "regular expression")]
    [InlineData("""{"pre_tokenizer":{"type":"Metaspace","replacement":"_","add_prefix_space":false},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "add_prefix_space")]
    [InlineData("""{"decoder":{"type":"CTC"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "CTC")]
    [InlineData("""{"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "precompiled_charsmap")]
    public void SaysWhatIsWrong(string json, string part)
    {
        var error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.Parse(Encoding.UTF8.GetBytes(json)));
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NamesTheFile()
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, "{");
        var error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.FromFile(path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        File.Delete(path);
    }

    [Fact]
    public void DamagedFilesAreRefusedOrWork()
    {
        var random = new Random(2026);
        byte[][] originals = [SyntheticTokenizer.Bytes(SyntheticTokenizer.ByteLevel()), SyntheticTokenizer.Bytes(SyntheticTokenizer.ByteFallback()), Encoding.UTF8.GetBytes(Everything)];
        var refused = 0;
        for (var round = 0; round < 1500; round++)
        {
            var bytes = Damage([.. originals[round % originals.Length]], random);
            try
            {
                var tokenizer = Tokenizer.Parse(bytes);
                var ids = tokenizer.Encode("the quick <a> 12 €\n", addSpecialTokens: true);
                _ = tokenizer.Decode([.. ids, 0, 1, 2, 5_000_000], skipSpecialTokens: true);
            }
            catch (TokenizerFormatException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 300, 1500);
    }

    [Fact]
    public void TruncatedFilesAreRefused()
    {
        var bytes = SyntheticTokenizer.Bytes(SyntheticTokenizer.ByteLevel(merges: 10));
        for (var length = 0; length < bytes.Length; length += 7)
        {
            Assert.Throws<TokenizerFormatException>(() => Tokenizer.Parse(bytes.AsMemory(0, length)));
        }
    }

    // A file with many kinds of parts, so that damage meets them.
    internal const string Everything = """
        {"version":"1.0","added_tokens":[{"id":0,"content":"<a>","single_word":false,"lstrip":true,"rstrip":true,"normalized":true,"special":true}],
        "normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Strip","strip_left":true,"strip_right":true},{"type":"Replace","pattern":{"Regex":"q+u?"},"content":"k"},{"type":"Prepend","prepend":"_"}]},
        "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{L}+|\\s+(?!\\S)|\\d{1,3}"},"behavior":"MergedWithNext","invert":false},{"type":"Metaspace","replacement":"_","prepend_scheme":"first","split":true},{"type":"Digits","individual_digits":true}]},
        "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"s":{"id":"s","ids":[1],"tokens":["s"]}}},
        "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"_"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1}]},
        "model":{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["<unk>",0],["_",-1.5],["t",-2],["th",-2.5],["the",-3],["e",-2],["<0xE2>",-9],["<0x82>",-9],["<0xAC>",-9]]}}
        """;

    private static byte[] Damage(byte[] bytes, Random random)
    {
        for (var i = random.Next(1, 4); i > 0; i--)
        {
            var at = random.Next(bytes.Length);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] = "{}[]\",:0\\n"u8[random.Next(10)];
                    break;
                case 2:
                    bytes = [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + random.Next(40))..]];
                    break;
                default:
                    bytes = [.. bytes[..at], .. bytes[(at / 2)..at], .. bytes[at..]];
                    break;
            }

            if (bytes.Length == 0)
            {
                return bytes;
            }
        }

        return bytes;
    }
}
