using System.Text;
using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.UnitTests.Text;

/// <summary>What a tokenizer.model has wrong is said, with value, limit and remedy.</summary>
public sealed class SentencePieceFormatTests
{
    public static TheoryData<string, byte[]> Bad => new()
    {
        { "no pieces", [] },
        { "no piece of the type unknown", new SentencePieceBytes().Piece("a", 0).ToArray() },
        { "two pieces of the type unknown, 0 and 1", new SentencePieceBytes().Piece("a", 0, SentencePieceBytes.Unknown).Piece("b", 0, SentencePieceBytes.Unknown).ToArray() },
        { "\"a\" twice, 1 and 2", Start().Piece("a", 0).Piece("a", -1).ToArray() },
        { "piece 1 of 0 bytes; pieces have 1 to 1,024", Start().Piece("", 0).ToArray() },
        { "piece 1 of 2,000 bytes", Start().Piece(new string('a', 2000), 0).ToArray() },
        { "type 9", Start().Piece("a", 0, 9).ToArray() },
        { "score NaN", Start().Piece("a", float.NaN).ToArray() },
        { "UTF-8", Start().Piece([0xC3], 0).ToArray() },
        { "model type WORD", Start().Trainer(3).ToArray() },
        { "model type CHAR", Start().Trainer(4).ToArray() },
        { "unknown model type 7", Start().Trainer(7).ToArray() },
        { "byte_fallback, but 0 of the 256", Start().Trainer(2, byteFallback: true).ToArray() },
        { "precompiled_charsmap holds 3 bytes", Start().Normalizer([1, 2, 3]).ToArray() },
        { "denormalizer_spec", Start().Denormalizer([1]).ToArray() },
        { "asks for 127 bytes, but 1 are left", Start().Raw(0x0A, 0x7F, 0x00).ToArray() },
        { "cut off within a number", Start().Raw(0x0A, 0xFF).ToArray() },
        { "more than 10 bytes", Start().Raw([0x08, .. Enumerable.Repeat((byte)0xFF, 12)]).ToArray() },
        { "wire type 3", Start().Raw(0x0B).ToArray() },
        { "field number 0", Start().Raw(0x02, 0x00).ToArray() },
        { "field 1 has no bytes", Start().Raw(0x08, 0x01).ToArray() },
        { "tiktoken's format", Encoding.UTF8.GetBytes("IQ== 0\nIg== 1\n") },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void SaysWhatIsWrong(string words, byte[] file)
    {
        var error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.ParseSentencePiece(file));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "tokenizer_config.json is not valid JSON")]
    [InlineData("[]", "tokenizer_config.json: the root must be an object")]
    [InlineData("""{"legacy":"yes"}""", "tokenizer_config.json: legacy must be true or false")]
    [InlineData("""{"added_tokens_decoder":{"x":{"content":"a"}}}""", "added_tokens_decoder.x is not an id")]
    [InlineData("""{"added_tokens_decoder":{"99999999":{"content":"a"}}}""", "is not an id from 0 to 16777215")]
    public void SaysWhatIsWrongInTheFilesBeside(string config, string words)
    {
        using var folder = new Model.Checkpoints.TemporaryFolder();
        File.WriteAllBytes(Path.Combine(folder.Root, "tokenizer.model"), SentencePieceBytes.Model(bpe: true, byteFallback: true));
        File.WriteAllText(Path.Combine(folder.Root, "tokenizer_config.json"), config);
        var error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.LoadFolder(folder.Root));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Contains(folder.Root, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddedTokensKeepTheIdsOfTheirFile()
    {
        using var folder = new Model.Checkpoints.TemporaryFolder();
        File.WriteAllBytes(Path.Combine(folder.Root, "tokenizer.model"), SentencePieceBytes.Model(bpe: true, byteFallback: true));
        File.WriteAllText(Path.Combine(folder.Root, "tokenizer_config.json"), """{"bos_token": "<s>", "eos_token": {"content": "<|end|>"}, "add_eos_token": true}""");
        File.WriteAllText(Path.Combine(folder.Root, "added_tokens.json"), """{"<|end|>": 400, "<|user|>": 402}""");
        var tokenizer = Tokenizer.LoadFolder(folder.Root)!;
        Assert.Equal(402, tokenizer.TokenToId("<|user|>"));
        Assert.Equal("<|end|>", tokenizer.IdToToken(400));
        Assert.Equal(403, tokenizer.VocabularySize);
        Assert.True(tokenizer.IsSpecial(400));
        Assert.False(tokenizer.IsSpecial(402));
        var ids = tokenizer.Encode("<|user|>the", addSpecialTokens: true);
        Assert.Equal(["<s>", "<|user|>", "▁the", "<|end|>"], ids.Select(id => tokenizer.IdToToken(id)));
        Assert.Equal("<|user|> the", tokenizer.Decode(ids, skipSpecialTokens: true));
    }

    [Fact]
    public void TokenizerJsonComesFirstThenTekkenThenTheModel()
    {
        using var folder = new Model.Checkpoints.TemporaryFolder();
        Assert.Null(Tokenizer.FindFile(folder.Root));
        foreach (var (name, bytes) in ((string, byte[])[])
        [
            ("tokenizer.model.v2", SentencePieceBytes.Model(bpe: true, byteFallback: true)),
            ("tokenizer.model.v3", SentencePieceBytes.Model(bpe: true, byteFallback: true)),
            ("tokenizer.model.v11m1", SentencePieceBytes.Model(bpe: true, byteFallback: true)),
            ("tokenizer.model", SentencePieceBytes.Model(bpe: true, byteFallback: true)),
            ("tekken.json", SyntheticTekken.Bytes(SyntheticTekken.File())),
            ("tokenizer.json", SyntheticTokenizer.Bytes(SyntheticTokenizer.ByteLevel())),
        ])
        {
            File.WriteAllBytes(Path.Combine(folder.Root, name), bytes);
            Assert.Equal(Path.Combine(folder.Root, name), Tokenizer.FindFile(folder.Root));
            Assert.NotEmpty(Tokenizer.LoadFolder(folder.Root)!.Encode("the", addSpecialTokens: false));
        }
    }

    [Fact]
    public void OtherNamesAreNoVersions()
    {
        using var folder = new Model.Checkpoints.TemporaryFolder();
        foreach (var name in (string[])["tokenizer.model.v", "tokenizer.model.v3.bak", "tokenizer.model.vx", "tokenizer.model.v3m", "tokenizer.model.v123456789"])
        {
            folder.Write(name, "");
        }

        Assert.Null(Tokenizer.FindFile(folder.Root));
        Assert.Null(Tokenizer.FindFile(Path.Combine(folder.Root, "nothing")));
    }

    [Theory]
    [InlineData("tekken.json")]
    [InlineData("tokenizer.model.v3")]
    public void WithoutFurtherFilesTemplatesTakeTheSpecialTokensOfTheTokenizer(string name)
    {
        using var folder = new Model.Checkpoints.TemporaryFolder();
        folder.Write(name, name == "tekken.json" ? SyntheticTekken.Bytes(SyntheticTekken.File()) : SentencePieceBytes.Model(bpe: true, byteFallback: true));
        folder.Write("chat_template.jinja", "{{ bos_token }}[INST]{{ messages[0].content }}[/INST]");
        var tokenizer = Tokenizer.LoadFolder(folder.Root)!;
        Assert.Equal("<s>", ChatTemplateSet.LoadFolder(folder.Root, tokenizer)!.BosToken);
        Assert.Null(ChatTemplateSet.LoadFolder(folder.Root)!.BosToken);

        // What a file says counts.
        folder.Write("tokenizer_config.json", """{ "bos_token": "<begin>", "unk_token": null }""");
        var set = ChatTemplateSet.LoadFolder(folder.Root, tokenizer)!;
        Assert.Equal("<begin>", set.BosToken);
        Assert.False(set.SpecialTokens.ContainsKey("unk_token"));
    }

    private static SentencePieceBytes Start() => new SentencePieceBytes().Piece("<unk>", 0, SentencePieceBytes.Unknown);
}
