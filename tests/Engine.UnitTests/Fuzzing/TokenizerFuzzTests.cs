using System.Text;
using Fastgen.Engine.Text;
using Fastgen.Engine.UnitTests.Text;

namespace Fastgen.Engine.UnitTests.Fuzzing;

/// <summary>Damaged tokenizer files are refused by a <see cref="TokenizerFormatException"/>, or work.</summary>
public sealed class TokenizerFuzzTests
{
    private const string Probe = "the quick <user> fox\n12 [INST] 世界 e\u0301 😀 <s>";

    private static readonly string[] Dictionary =
    [
        "\"type\":\"Sequence\"", "\"type\":\"Metaspace\"", "\"type\":\"Replace\"", "\"pattern\":{\"Regex\":\"(a|a)*b\"}", "\"pattern\":{\"String\":\"\"}", "\"normalizers\":[", "\"decoders\":[",
        "\"type\":\"Unigram\"", "\"byte_fallback\":true", "\"ignore_merges\":true", "\"unk_id\":0", "\"vocab\":{", "\"merges\":[", "\"special\":true", "\"rank\":", "\"token_bytes\":\"YQ==\"", "\"v7\"",
    ];

    [Fact]
    public void TokenizerJson() => FuzzRun.Over(
        "tokenizer.json",
        4000,
        [
            SyntheticTokenizer.Bytes(SyntheticTokenizer.ByteLevel()),
            SyntheticTokenizer.Bytes(SyntheticTokenizer.ByteFallback()),
            Encoding.UTF8.GetBytes(TokenizerFormatTests.Everything),
        ],
        Dictionary,
        bytes => Use(Tokenizer.Parse(bytes)),
        error => error is TokenizerFormatException);

    [Fact]
    public void TokenizerModel() => FuzzRun.Over(
        "tokenizer.model",
        8000,
        [
            SentencePieceBytes.Model(bpe: true, byteFallback: true),
            SentencePieceBytes.Model(bpe: true, byteFallback: false),
            SentencePieceBytes.Model(bpe: false, byteFallback: true),
            SentencePieceBytes.Model(bpe: false, byteFallback: false),
            new SentencePieceBytes().Piece("<unk>", 0, SentencePieceBytes.Unknown).Piece("▁the", -1).Piece("t", -2).Trainer(1)
                .Normalizer([8, 0, 0, 0, 0, 4, 0, 0, 97, 1, 0, 0, 98, 0], removeExtraSpaces: true).ToArray(),
        ],
        ["\x12\x02\x18\x02", "\x0A\x05\x0A\x01", "\x18\x04", "\x15", "▁"],
        bytes => Use(Tokenizer.ParseSentencePiece(bytes)),
        error => error is TokenizerFormatException);

    [Fact]
    public void TekkenJson() => FuzzRun.Over(
        "tekken.json",
        4000,
        [SyntheticTekken.Bytes(SyntheticTekken.File())],
        Dictionary,
        bytes => Use(Tokenizer.ParseTekken(bytes)),
        error => error is TokenizerFormatException);

    private static void Use(Tokenizer tokenizer)
    {
        var ids = tokenizer.Encode(Probe, addSpecialTokens: true);
        _ = tokenizer.Decode([.. ids, 0, 1, 2, 300, 5_000_000, -1], skipSpecialTokens: true);
        _ = tokenizer.TokenBytes(ids.Length > 0 ? ids[0] : 0);
    }
}
