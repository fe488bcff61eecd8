using System.Globalization;

namespace Fastgen.Engine.Text.Unicode;

/// <summary>Character properties as Unicode defines them, for whole code points.</summary>
internal static class CharProperties
{
    // One byte for each UTF-16 unit: the inner loops of pre-tokenization ask for little else.
    private static readonly CharClass[] Bmp = BuildBmp();

    /// <summary>The classes of one UTF-16 unit; surrogates have none.</summary>
    public static CharClass Of(char unit) => Bmp[unit];

    /// <summary>The classes of a code point.</summary>
    public static CharClass Of(int codePoint) =>
        codePoint < 0x10000 ? Bmp[codePoint] : FromCategory(CharUnicodeInfo.GetUnicodeCategory(codePoint));

    /// <summary>Reads the code point at <paramref name="index"/>; a lone surrogate stands for itself.</summary>
    public static int CodePointAt(ReadOnlySpan<char> text, int index, out int units)
    {
        var high = text[index];
        if (char.IsHighSurrogate(high) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            units = 2;
            return char.ConvertToUtf32(high, text[index + 1]);
        }

        units = 1;
        return high;
    }

    /// <summary>Reads the code point that ends before <paramref name="index"/>.</summary>
    public static int CodePointBefore(ReadOnlySpan<char> text, int index, out int units)
    {
        var low = text[index - 1];
        if (char.IsLowSurrogate(low) && index >= 2 && char.IsHighSurrogate(text[index - 2]))
        {
            units = 2;
            return char.ConvertToUtf32(text[index - 2], low);
        }

        units = 1;
        return low;
    }

    /// <summary>White_Space.</summary>
    public static bool IsWhiteSpace(int codePoint) => codePoint < 0x10000 && (Bmp[codePoint] & CharClass.Space) != 0;

    /// <summary>General category N.</summary>
    public static bool IsNumeric(int codePoint) => (Of(codePoint) & CharClass.Number) != 0;

    /// <summary>General category M.</summary>
    public static bool IsMark(int codePoint) => (Of(codePoint) & CharClass.Mark) != 0;

    /// <summary>ASCII punctuation and symbols, or general category P.</summary>
    public static bool IsPunctuation(int codePoint)
    {
        if (codePoint < 128)
        {
            return codePoint is (>= 0x21 and <= 0x2F) or (>= 0x3A and <= 0x40) or (>= 0x5B and <= 0x60) or (>= 0x7B and <= 0x7E);
        }

        return CharUnicodeInfo.GetUnicodeCategory(codePoint) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;
    }

    /// <summary>Alphabetic, mark, decimal number or connector punctuation: <c>\w</c> of the reference's regular expressions.</summary>
    public static bool IsWord(int codePoint)
    {
        var category = CharUnicodeInfo.GetUnicodeCategory(codePoint);
        return category <= UnicodeCategory.LetterNumber
            || category == UnicodeCategory.ConnectorPunctuation
            || IsAlphabeticSymbol(codePoint);
    }

    /// <summary>Alphabetic: letters, letter numbers and Other_Alphabetic.</summary>
    public static bool IsAlphabetic(int codePoint)
    {
        var category = CharUnicodeInfo.GetUnicodeCategory(codePoint);
        return category <= UnicodeCategory.OtherLetter || category == UnicodeCategory.LetterNumber || IsAlphabeticSymbol(codePoint);
    }

    /// <summary>Simple lower case, except U+0130, which has only a full mapping.</summary>
    public static int ToLower(int codePoint) => codePoint < 0x10000
        ? (codePoint is >= 0xD800 and <= 0xDFFF ? codePoint : char.ToLowerInvariant((char)codePoint))
        : System.Text.Rune.ToLowerInvariant(new System.Text.Rune(codePoint)).Value;

    /// <summary>Simple upper case; the two mappings that the invariant culture leaves out are added.</summary>
    public static int ToUpper(int codePoint) => codePoint switch
    {
        0x17F => 'S',
        0x131 => 'I',
        < 0x10000 => codePoint is >= 0xD800 and <= 0xDFFF ? codePoint : char.ToUpperInvariant((char)codePoint),
        _ => System.Text.Rune.ToUpperInvariant(new System.Text.Rune(codePoint)).Value,
    };

    /// <summary>The form under which code points that differ in case alone are equal.</summary>
    public static int Fold(int codePoint) => codePoint == 0x131 ? codePoint : ToLower(ToUpper(codePoint));

    // The symbols (category So) among Other_Alphabetic: circled, squared and negative letters.
    private static bool IsAlphabeticSymbol(int codePoint) =>
        codePoint is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static CharClass[] BuildBmp()
    {
        var table = new CharClass[0x10000];
        for (var unit = 0; unit < table.Length; unit++)
        {
            var classes = FromCategory(CharUnicodeInfo.GetUnicodeCategory((char)unit));
            if (char.IsWhiteSpace((char)unit))
            {
                classes |= CharClass.Space;
            }

            table[unit] = unit is '\r' or '\n' ? classes | CharClass.NewLine : classes;
        }

        return table;
    }

    private static CharClass FromCategory(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => CharClass.Letter | CharClass.UpperLike,
        UnicodeCategory.LowercaseLetter => CharClass.Letter | CharClass.LowerLike,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => CharClass.Letter | CharClass.UpperLike | CharClass.LowerLike,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark =>
            CharClass.Mark | CharClass.UpperLike | CharClass.LowerLike,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharClass.Number,
        _ => CharClass.None,
    };
}
