using System.Text.Json.Nodes;

namespace Fastgen.Engine.UnitTests.Text;

public sealed class TokenizerTests
{
    [Fact]
    public void ByteLevelRoundTripsAnyText()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel());
        var random = new Random(1);
        for (var round = 0; round < 300; round++)
        {
            var text = SyntheticTokenizer.RandomText(random, random.Next(1, 200));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text, addSpecialTokens: false), skipSpecialTokens: false));
        }
    }

    [Fact]
    public void LongWordsMergeAsByDefinition()
    {
        var file = SyntheticTokenizer.ByteLevel(useRegex: false);
        var tokenizer = SyntheticTokenizer.Load(file);
        var merges = file["model"]!["merges"]!.AsArray().Select(merge => merge!.GetValue<string>().Split(' ')).ToList();
        var random = new Random(2);
        for (var round = 0; round < 60; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(2, 150)).Select(_ => "thequickowrs"[random.Next(12)]));
            var symbols = text.Select(c => c.ToString()).ToList();
            while (true)
            {
                var best = Enumerable.Range(0, symbols.Count - 1)
                    .Select(i => (Rank: merges.FindIndex(merge => merge[0] == symbols[i] && merge[1] == symbols[i + 1]), Index: i))
                    .Where(pair => pair.Rank >= 0).OrderBy(pair => pair.Rank).ThenBy(pair => pair.Index).Select(pair => (int?)pair.Index).FirstOrDefault();
                if (best is not { } at)
                {
                    break;
                }

                symbols[at] += symbols[at + 1];
                symbols.RemoveAt(at + 1);
            }

            Assert.Equal(symbols, SyntheticTokenizer.Tokens(tokenizer, text));
        }
    }

    [Fact]
    public void ByteFallbackSpellsUnknownCharacters()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteFallback());
        Assert.Equal(["▁the", "▁", "<0xE2>", "<0x82>", "<0xAC>"], SyntheticTokenizer.Tokens(tokenizer, "the €"));
        Assert.Equal("the €", tokenizer.Decode(tokenizer.Encode("the €", addSpecialTokens: false), skipSpecialTokens: true));
        Assert.Equal([0xE2], tokenizer.TokenBytes(tokenizer.TokenToId("<0xE2>")!.Value));
        Assert.Equal(" the"u8.ToArray(), tokenizer.TokenBytes(tokenizer.TokenToId("▁the")!.Value));
    }

    [Fact]
    public void WordsByThemselvesMergeAsWholeTextsDo()
    {
        // The same model once with a merge that crosses a space, which no text here meets, so that the shortcut is off.
        var split = SyntheticTokenizer.ByteFallback();
        var whole = SyntheticTokenizer.ByteFallback();
        whole["model"]!["vocab"]!["z▁"] = 900;
        whole["model"]!["merges"]!.AsArray().Add(new JsonArray("z", "▁"));
        var (first, second) = (SyntheticTokenizer.Load(split), SyntheticTokenizer.Load(whole));
        var random = new Random(5);
        for (var round = 0; round < 100; round++)
        {
            var text = string.Join(' ', Enumerable.Range(0, 60).Select(_ => SyntheticTokenizer.Corpus.Split(' ')[random.Next(20)].Replace('z', 'y') + new string(' ', random.Next(3))));
            Assert.Equal(second.Encode(text, false), first.Encode(text, false));
        }
    }

    [Fact]
    public void AddedTokensFollowTheirFlags()
    {
        var file = SyntheticTokenizer.File(SyntheticTokenizer.Characters("abcdeX<> .|"));
        SyntheticTokenizer.AddToken(file, "<l>", lstrip: true);
        SyntheticTokenizer.AddToken(file, "<r>", rstrip: true);
        SyntheticTokenizer.AddToken(file, "cat", singleWord: true);
        SyntheticTokenizer.AddToken(file, "<l>>", special: true);
        var tokenizer = SyntheticTokenizer.Load(file);
        Assert.Equal(["a", "<l>", " ", "b"], SyntheticTokenizer.Tokens(tokenizer, "a  <l> b"));
        Assert.Equal(["a", " ", "<r>", "b"], SyntheticTokenizer.Tokens(tokenizer, "a <r>  b"));
        Assert.Equal(["a", " ", "<r>", "<l>"], SyntheticTokenizer.Tokens(tokenizer, "a <r>  <l>"));
        Assert.Equal(["cat", ".", "cat"], SyntheticTokenizer.Tokens(tokenizer, "cat.cat"));
        Assert.DoesNotContain("cat", SyntheticTokenizer.Tokens(tokenizer, "acat"));
        Assert.Equal(["<l>>"], SyntheticTokenizer.Tokens(tokenizer, "<l>>"));
        Assert.True(tokenizer.IsSpecial(tokenizer.TokenToId("<l>>")!.Value));
        Assert.False(tokenizer.IsSpecial(tokenizer.TokenToId("<l>")!.Value));
        Assert.Equal("a b", tokenizer.Decode([tokenizer.TokenToId("a")!.Value, tokenizer.TokenToId("<l>>")!.Value, tokenizer.TokenToId("b")!.Value, 9999], skipSpecialTokens: true));
    }

    [Fact]
    public void NormalizedAddedTokensAreFoundInNormalizedText()
    {
        var file = SyntheticTokenizer.File(SyntheticTokenizer.Characters("abcx"));
        file["normalizer"] = new JsonObject { ["type"] = "Lowercase" };
        SyntheticTokenizer.AddToken(file, "<Up>", normalized: true);
        SyntheticTokenizer.AddToken(file, "<Raw>");
        var tokenizer = SyntheticTokenizer.Load(file);
        Assert.Equal(["a", "<Up>", "<Up>", "b"], SyntheticTokenizer.Tokens(tokenizer, "A<UP><up>B"));
        Assert.Equal(["<Raw>"], SyntheticTokenizer.Tokens(tokenizer, "<Raw>"));
        Assert.DoesNotContain("<Raw>", SyntheticTokenizer.Tokens(tokenizer, "<raw>"));
    }

    [Theory]
    [InlineData("""{"type":"Metaspace","replacement":"_","prepend_scheme":"always","split":true}""", "ab c", "_ab|_c")]
    [InlineData("""{"type":"Metaspace","replacement":"_","prepend_scheme":"first","split":true}""", "_ab  c", "_ab|_|_c")]
    [InlineData("""{"type":"Metaspace","replacement":"_","add_prefix_space":false,"prepend_scheme":"never"}""", "ab c", "ab|_c")]
    [InlineData("""{"type":"Digits","individual_digits":true}""", "ab12", "ab|1|2")]
    [InlineData("""{"type":"Digits","individual_digits":false}""", "ab12c", "ab|12|c")]
    [InlineData("""{"type":"Punctuation"}""", "a,.b", "a|,|.|b")]
    [InlineData("""{"type":"Whitespace"}""", "ab, c", "ab|,|c")]
    [InlineData("""{"type":"WhitespaceSplit"}""", " ab, c ", "ab,|c")]
    [InlineData("""{"type":"BertPreTokenizer"}""", "ab, c", "ab|,|c")]
    [InlineData("""{"type":"CharDelimiterSplit","delimiter":"-"}""", "a-b--c", "a|b|c")]
    [InlineData("""{"type":"FixedLength","length":2}""", "abc1", "ab|c1")]
    [InlineData("""{"type":"UnicodeScripts"}""", "abя世のc", "ab|я|世の|c")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"Removed","invert":false}""", "a--b", "a|b")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"Isolated","invert":false}""", "a--b", "a|-|-|b")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithPrevious","invert":false}""", "a--b-", "a-|-|b-")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithNext","invert":false}""", "a--b-", "a|-|-b|-")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"Contiguous","invert":false}""", "a--b-", "a|--|b|-")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"[abc]+"},"behavior":"Removed","invert":true}""", "ab--c", "ab|c")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Punctuation","behavior":"MergedWithPrevious"}]}""", "a,b c", "a,|b|c")]
    public void PreTokenizersCut(string preTokenizer, string text, string expected)
    {
        // A suffix on the last character of every piece shows where pieces end.
        const string Alphabet = "abcяの世12,._-";
        var model = SyntheticTokenizer.Characters(Alphabet);
        model["end_of_word_suffix"] = "|";
        foreach (var rune in Alphabet.EnumerateRunes())
        {
            model["vocab"]![rune + "|"] = model["vocab"]!.AsObject().Count;
        }

        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.File(model, JsonNode.Parse(preTokenizer)));
        Assert.Equal(expected + "|", string.Concat(SyntheticTokenizer.Tokens(tokenizer, text)));
    }

    [Theory]
    [InlineData("""{"type":"Lowercase"}""", "AİΣ", "ai\u0307σ")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":false}""", " a ", "a ")]
    [InlineData("""{"type":"StripAccents"}""", "e\u0301é", "eé")]
    [InlineData("""{"type":"Prepend","prepend":"x"}""", "a", "xa")]
    [InlineData("""{"type":"Append","append":"x"}""", "a", "ax")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":"\\s+"},"content":"$1"}""", "a \n b", "a$1b")]
    [InlineData("""{"type":"Nmt"}""", "a\u200B\u0001b", "a b")]
    [InlineData("""{"type":"NFKC"}""", "ﬁ", "fi")]
    [InlineData("""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}""", "É\u0000\t世", "e  世 ")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"},{"type":"Lowercase"}]}""", "É", "e")]
    public void NormalizersRewrite(string normalizer, string text, string expected)
    {
        var file = SyntheticTokenizer.ByteLevel(merges: 0);
        file["normalizer"] = JsonNode.Parse(normalizer);
        var tokenizer = SyntheticTokenizer.Load(file);
        Assert.Equal(expected, tokenizer.Decode(tokenizer.Encode(text, addSpecialTokens: false), skipSpecialTokens: false));
    }

    [Fact]
    public void TemplatesPutSpecialTokensAround()
    {
        var file = SyntheticTokenizer.File(SyntheticTokenizer.Characters("ab"));
        file["post_processor"] = JsonNode.Parse("""
            {"type":"Sequence","processors":[{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false},
             {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"B","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],
              "special_tokens":{"B":{"id":"B","ids":[7,8],"tokens":["x","y"]}}},
             {"type":"BertProcessing","sep":["s",5],"cls":["c",4]}]}
            """);
        var tokenizer = SyntheticTokenizer.Load(file);
        Assert.Equal([4, 7, 8, 1, 2, 5], tokenizer.Encode("ab", addSpecialTokens: true));
        Assert.Equal([1, 2], tokenizer.Encode("ab", addSpecialTokens: false));
    }

    [Fact]
    public void UnigramFindsTheBestPath()
    {
        // The best of all cuts, found by trying them all.
        (string Token, double Score)[] pieces = [("<unk>", 0), ("a", -2.5), ("b", -3), ("ab", -4), ("ba", -5.25), ("aba", -6), ("bab", -5.75), ("▁", -2)];
        var model = new JsonObject
        {
            ["type"] = "Unigram",
            ["unk_id"] = 0,
            ["vocab"] = new JsonArray([.. pieces.Select(piece => (JsonNode)new JsonArray(piece.Token, piece.Score))]),
        };
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.File(model));
        var random = new Random(4);
        for (var round = 0; round < 100; round++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => "ab▁"[random.Next(3)]));
            var actual = SyntheticTokenizer.Tokens(tokenizer, text);
            Assert.Equal(text, string.Concat(actual));
            Assert.Equal(Best(text), actual.Sum(token => pieces.First(piece => piece.Token == token).Score), precision: 9);
        }

        Assert.Equal(["a", "<unk>", "b"], SyntheticTokenizer.Tokens(tokenizer, "axyzb"));

        double Best(string text) => text.Length == 0 ? 0 : pieces.Where(piece => text.StartsWith(piece.Token, StringComparison.Ordinal)).Max(piece => piece.Score + Best(text[piece.Token.Length..]));
    }

    [Fact]
    public void ManyThreadsEncodeAlike()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel());
        var random = new Random(9);
        var texts = Enumerable.Range(0, 200).Select(_ => SyntheticTokenizer.RandomText(random, 300)).ToArray();
        var expected = texts.Select(text => SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel()).Encode(text, addSpecialTokens: false)).ToArray();
        Parallel.For(0, texts.Length * 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => Assert.Equal(expected[i % texts.Length], tokenizer.Encode(texts[i % texts.Length], addSpecialTokens: false)));
    }

    [Fact]
    public void LoneSurrogatesCountAsReplacementCharacters()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel());
        Assert.Equal(tokenizer.Encode("a\uFFFDb\uFFFD", false), tokenizer.Encode("a\uD800b\uDC00", false));
    }

    [Fact]
    public void AMegabyteOfAnythingEndsSoon()
    {
        var tokenizer = SyntheticTokenizer.Load(SyntheticTokenizer.ByteLevel());
        foreach (var part in (string[])["a", " ", "th", "\n ", "<", "'", "世", "a\u0301"])
        {
            var text = string.Concat(Enumerable.Repeat(part, 1_000_000 / part.Length));
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var ids = tokenizer.Encode(text, addSpecialTokens: false);
            Assert.Equal(text.Length, tokenizer.Decode(ids, skipSpecialTokens: false).Length);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"\"{part}\" took {clock.Elapsed}");
        }
    }
}
