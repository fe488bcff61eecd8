using System.Text.Json.Nodes;
using Fastgen.Engine.Text;

namespace Fastgen.Engine.UnitTests.Text;

public sealed class TekkenFormatTests
{
    [Theory]
    [InlineData("config", "null", "config must be an object")]
    [InlineData("vocab", "{}", "vocab must be an array")]
    [InlineData("config.default_vocab_size", "100000", "asks for 99,995 tokens")]
    [InlineData("config.default_num_special_tokens", "20", "asks for 252 tokens")]
    [InlineData("config.default_num_special_tokens", "-1", "must be an integer from 0")]
    [InlineData("config.pattern", "\"(\"", "regular expression")]
    [InlineData("config.version", "\"3\"", "version is \"3\" but must be a v and a number")]
    [InlineData("special_tokens", "null", "special_tokens is missing, but files of version v11 must have it")]
    [InlineData("special_tokens", "[{\"rank\":5,\"token_str\":\"a\"}]", "special_tokens[0] has rank 5, but there are 5")]
    [InlineData("special_tokens", "[{\"rank\":0,\"token_str\":\"<SPECIAL_1>\"}]", "\"<SPECIAL_1>\" twice")]
    [InlineData("special_tokens", "[{\"rank\":0,\"token_str\":\"\"}]", "no text")]
    public void SaysWhatIsWrong(string place, string value, string words)
    {
        var file = SyntheticTekken.File();
        var path = place.Split('.');
        JsonNode node = path.Length == 1 ? file : file[path[0]]!;
        node[path[^1]] = JsonNode.Parse(value);
        Refuses(file, words);
    }

    [Theory]
    [InlineData(0, "{\"rank\":0,\"token_bytes\":\"AQ==\"}", "vocab[0] must be the single byte 0")]
    [InlineData(256, "{\"rank\":256,\"token_bytes\":\"?\"}", "vocab[256] must be an object with rank 256")]
    [InlineData(256, "{\"rank\":7,\"token_bytes\":\"YQ==\"}", "rank 256")]
    [InlineData(256, "{\"rank\":256,\"token_bytes\":\"\"}", "has 0 bytes")]
    [InlineData(257, "{\"rank\":257,\"token_bytes\":\"dGg=\"}", "has the bytes of vocab[256]")]
    [InlineData(256, "5", "vocab[256]")]
    public void SaysWhichTokenIsWrong(int rank, string entry, string words)
    {
        var file = SyntheticTekken.File();
        file["vocab"]![rank] = JsonNode.Parse(entry);
        Refuses(file, words);
    }

    [Fact]
    public void MergesByRankAndKeepsSpecialTokens()
    {
        var tokenizer = Tokenizer.ParseTekken(SyntheticTekken.Bytes(SyntheticTekken.File()));

        // th before he; then th and e are a token, but then and quicks are none.
        Assert.Equal(["Ġthe"], Tokens(" the"));
        Assert.Equal(["the", "n"], Tokens("then"));
        Assert.Equal(["qu", "ick", "s"], Tokens("quicks"));
        Assert.Equal([1, 3, 5 + 'a'], tokenizer.Encode("[INST]a", addSpecialTokens: true));
        Assert.Equal("<SPECIAL_4>", tokenizer.IdToToken(4));
        Assert.Equal("the 世界\n", tokenizer.Decode(tokenizer.Encode("<s>the 世界\n", addSpecialTokens: false), skipSpecialTokens: true));

        string[] Tokens(string text) => [.. tokenizer.Encode(text, addSpecialTokens: false).Select(id => tokenizer.IdToToken(id)!)];
    }

    [Fact]
    public void EarlyFilesHaveTheUsualSpecialTokens()
    {
        var file = SyntheticTekken.File();
        file.Remove("special_tokens");
        file["config"]!["version"] = "v3";
        var tokenizer = Tokenizer.ParseTekken(SyntheticTekken.Bytes(file));
        Assert.Equal(["<unk>", "<s>", "</s>", "[INST]", "[/INST]"], Enumerable.Range(0, 5).Select(id => tokenizer.IdToToken(id)));
    }

    private static void Refuses(JsonObject file, string words)
    {
        var error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.ParseTekken(SyntheticTekken.Bytes(file)));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }
}
