using System.Globalization;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>str.isupper and its kin.</summary>
internal static class CharacterTests
{
    public static bool IsUpperCodePoint(int codePoint) =>
        CharUnicodeInfo.GetUnicodeCategory(codePoint) == UnicodeCategory.UppercaseLetter || codePoint is (>= 0x2160 and <= 0x216F) or (>= 0x24B6 and <= 0x24CF) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    // Other_Lowercase: ordinal indicators, modifier letters, small Roman numerals, circled letters.
    public static bool IsLowerCodePoint(int codePoint) =>
        CharUnicodeInfo.GetUnicodeCategory(codePoint) == UnicodeCategory.LowercaseLetter
        || codePoint is 0xAA or 0xBA or (>= 0x2B0 and <= 0x2B8) or 0x2C0 or 0x2C1 or (>= 0x2E0 and <= 0x2E4) or 0x345 or 0x37A
            or (>= 0x1D2C and <= 0x1D6A) or 0x1D78 or (>= 0x1D9B and <= 0x1DBF) or 0x2071 or 0x207F or (>= 0x2090 and <= 0x209C)
            or (>= 0x2170 and <= 0x217F) or (>= 0x24D0 and <= 0x24E9) or 0x2C7C or 0x2C7D or 0xA69C or 0xA69D or 0xA770 or 0xA7F8 or 0xA7F9
            or (>= 0xAB5C and <= 0xAB5F);

    public static bool IsTitleCodePoint(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) == UnicodeCategory.TitlecaseLetter;

    public static bool IsCased(int codePoint) => IsUpperCodePoint(codePoint) || IsLowerCodePoint(codePoint) || IsTitleCodePoint(codePoint);

    public static bool IsCaseIgnorable(char c) => c is '\'' or '.' or ':' or '^' or '`' or '\u00a8' or '\u00ad' or '\u00af' or '\u00b4' or '\u00b7' or '\u00b8' or '\u2019'
        || CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    public static bool IsLower(string text) => HasCase(text, IsLowerCodePoint, codePoint => IsUpperCodePoint(codePoint) || IsTitleCodePoint(codePoint));

    public static bool IsUpper(string text) => HasCase(text, IsUpperCodePoint, codePoint => IsLowerCodePoint(codePoint) || IsTitleCodePoint(codePoint));

    public static bool IsTitle(string text)
    {
        bool any = false;
        bool inWord = false;
        foreach (int codePoint in CodePoints(text))
        {
            bool starts = IsUpperCodePoint(codePoint) || IsTitleCodePoint(codePoint);
            if (starts ? inWord : IsLowerCodePoint(codePoint) && !inWord)
            {
                return false;
            }

            inWord = starts || IsLowerCodePoint(codePoint);
            any |= inWord;
        }

        return any;
    }

    public static bool IsIdentifier(string text)
    {
        bool first = true;
        foreach (int codePoint in CodePoints(text))
        {
            bool start = codePoint == '_' || PythonText.IsAlpha(codePoint) || CharUnicodeInfo.GetUnicodeCategory(codePoint) == UnicodeCategory.LetterNumber;
            bool part = start || CharUnicodeInfo.GetUnicodeCategory(codePoint)
                is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.ConnectorPunctuation;
            if (first ? !start : !part)
            {
                return false;
            }

            first = false;
        }

        return !first;
    }

    /// <summary>True when there are characters and all of them pass.</summary>
    public static bool All(string text, Func<int, bool> test) => text.Length > 0 && CodePoints(text).All(test);

    public static IEnumerable<int> CodePoints(string text)
    {
        for (int i = 0; i < text.Length; i += PythonText.WidthAt(text, i))
        {
            yield return PythonText.CodePointAt(text, i);
        }
    }

    private static bool HasCase(string text, Func<int, bool> wanted, Func<int, bool> refused)
    {
        bool any = false;
        foreach (int codePoint in CodePoints(text))
        {
            if (refused(codePoint))
            {
                return false;
            }

            any |= wanted(codePoint);
        }

        return any;
    }
}
