using System.Globalization;
using System.Text;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>BERT's clean-up: control characters, spaces around ideographs, accents, case.</summary>
internal sealed class BertNormalizer(bool cleanText, bool handleChineseChars, bool stripAccents, bool lowercase) : Normalizer
{
    private readonly LowercaseNormalizer _lower = new();

    /// <inheritdoc/>
    public override string Normalize(string text)
    {
        if (cleanText || handleChineseChars)
        {
            text = Clean(text);
        }

        if (stripAccents)
        {
            text = RemoveNonSpacingMarks(Normalization.Normalize(text, compatible: false, compose: false));
        }

        return lowercase ? _lower.Normalize(text) : text;
    }

    private string Clean(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var c = rune.Value;
            if (cleanText && (c is 0 or 0xFFFD || IsControl(c)))
            {
                continue;
            }

            if (cleanText && CharProperties.IsWhiteSpace(c))
            {
                result.Append(' ');
            }
            else if (handleChineseChars && IsIdeograph(c))
            {
                result.Append(' ').Append(rune.ToString()).Append(' ');
            }
            else
            {
                result.Append(rune.ToString());
            }
        }

        return result.ToString();
    }

    private static string RemoveNonSpacingMarks(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark)
            {
                result.Append(rune.ToString());
            }
        }

        return result.ToString();
    }

    private static bool IsControl(int c) => c is not ('\t' or '\n' or '\r')
        && CharUnicodeInfo.GetUnicodeCategory(c) is (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse);

    private static bool IsIdeograph(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
        or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}
