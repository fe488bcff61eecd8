using Fastgen.Engine.Text.Normalizers;
using Fastgen.Engine.Text.Patterns;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads <c>normalizer</c>.</summary>
internal static class NormalizerReader
{
    private const string Supported = "NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Prepend, Append, Replace, Precompiled, Nmt, ByteLevel, BertNormalizer and Sequence";

    /// <summary>The normalizer, or null.</summary>
    public static Normalizer? Read(JsonPart part) => part.IsNull ? null : ReadPart(part);

    /// <summary>A <c>pattern</c>: {"String": …} or {"Regex": …}.</summary>
    public static TextPattern ReadPattern(JsonPart part)
    {
        if (!part["String"].IsNull)
        {
            var literal = part["String"].String();
            return literal.Length > 0 ? new LiteralPattern(literal) : new RegexPattern("");
        }

        return part["Regex"].IsNull ? throw part.Error("must have \"String\" or \"Regex\"") : new RegexPattern(part["Regex"].String());
    }

    private static Normalizer ReadPart(JsonPart part)
    {
        var type = part["type"].String();
        return type switch
        {
            "NFC" => new UnicodeNormalizer(compatible: false, compose: true),
            "NFD" => new UnicodeNormalizer(compatible: false, compose: false),
            "NFKC" => new UnicodeNormalizer(compatible: true, compose: true),
            "NFKD" => new UnicodeNormalizer(compatible: true, compose: false),
            "Lowercase" => new LowercaseNormalizer(),
            "Strip" => new StripNormalizer(part["strip_left"].Boolean(), part["strip_right"].Boolean()),
            "StripAccents" => new StripAccentsNormalizer(),
            "Prepend" => new AffixNormalizer(part["prepend"].String(), ""),
            "Append" => new AffixNormalizer("", part["append"].String()),
            "Replace" => new ReplaceNormalizer(ReadPattern(part["pattern"]), part["content"].String()),
            "Precompiled" => ReadPrecompiled(part["precompiled_charsmap"]),
            "Nmt" => new NmtNormalizer(),
            "ByteLevel" => new ByteLevelNormalizer(),
            "BertNormalizer" => ReadBert(part),
            "Sequence" => new SequenceNormalizer([.. part["normalizers"].Items().Select(ReadPart)]),
            _ => throw part.Unsupported(type, Supported),
        };
    }

    private static BertNormalizer ReadBert(JsonPart part)
    {
        var lowercase = part["lowercase"].Boolean();
        return new BertNormalizer(
            part["clean_text"].Boolean(),
            part["handle_chinese_chars"].Boolean(),
            part["strip_accents"].IsNull ? lowercase : part["strip_accents"].Boolean(),
            lowercase);
    }

    private static PrecompiledNormalizer ReadPrecompiled(JsonPart part)
    {
        _ = part.String();
        return new PrecompiledNormalizer(part.Element.TryGetBytesFromBase64(out var map) ? map : throw part.Error("must be base64"));
    }
}
