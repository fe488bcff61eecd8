using System.Globalization;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Positions and character classes as Python's str counts and names them: by code point.</summary>
internal static class PythonText
{
    public static int CodePoints(string text)
    {
        int pairs = 0;
        for (int i = text.AsSpan().IndexOfAnyInRange('\ud800', '\udfff'); i >= 0 && i < text.Length - 1; i++)
        {
            if (char.IsHighSurrogate(text[i]) && char.IsLowSurrogate(text[i + 1]))
            {
                pairs++;
                i++;
            }
        }

        return text.Length - pairs;
    }

    public static int WidthAt(string text, int offset) => WidthAt(text.AsSpan(), offset);

    public static int WidthAt(ReadOnlySpan<char> text, int offset) =>
        char.IsHighSurrogate(text[offset]) && offset + 1 < text.Length && char.IsLowSurrogate(text[offset + 1]) ? 2 : 1;

    public static int CodePointAt(string text, int offset) => WidthAt(text, offset) == 2 ? char.ConvertToUtf32(text[offset], text[offset + 1]) : text[offset];

    /// <summary>UTF-16 offset of a code point's index; the text's length for the index after the last.</summary>
    public static int OffsetOf(string text, int index)
    {
        int offset = 0;
        for (; index > 0; index--)
        {
            offset += WidthAt(text, offset);
        }

        return offset;
    }

    /// <summary>Code point index of a UTF-16 offset.</summary>
    public static int IndexOf(string text, int offset) => CodePoints(text[..offset]);

    /// <summary>UTF-16 offsets of all code points, and the length as the last.</summary>
    public static int[] Offsets(string text)
    {
        var offsets = new int[CodePoints(text) + 1];
        int offset = 0;
        for (int i = 0; i < offsets.Length - 1; i++)
        {
            offsets[i] = offset;
            offset += WidthAt(text, offset);
        }

        offsets[^1] = text.Length;
        return offsets;
    }

    // Python counts the four separators U+001C..U+001F as space, .NET does not.
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    public static bool IsSpace(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (!IsSpace(c))
            {
                return false;
            }
        }

        return true;
    }

    public static string TrimStart(string text)
    {
        int start = 0;
        while (start < text.Length && IsSpace(text[start]))
        {
            start++;
        }

        return text[start..];
    }

    public static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
        {
            end--;
        }

        return text[..end];
    }

    public static string Trim(string text) => TrimStart(TrimEnd(text));

    public static bool IsLineBreak(char c) => c is '\n' or '\r' or '\v' or '\f' or (>= '\u001c' and <= '\u001e') or '\u0085' or '\u2028' or '\u2029';

    public static List<string> SplitLines(string text, bool keepEnds = false)
    {
        var lines = new List<string>();
        for (int start = 0; start < text.Length;)
        {
            int end = start;
            while (end < text.Length && !IsLineBreak(text[end]))
            {
                end++;
            }

            int next = end < text.Length ? end + (text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? 2 : 1) : end;
            lines.Add(text[start..(keepEnds ? next : end)]);
            start = next;
        }

        return lines;
    }

    /// <summary>The regular expression class \w: letters, digits of every kind, underscore.</summary>
    public static bool IsWordAt(string text, int offset)
    {
        char c = text[offset];
        return c < 0x80 ? char.IsAsciiLetterOrDigit(c) || c == '_' : IsAlphanumeric(CodePointAt(text, offset));
    }

    public static bool IsAlpha(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
        is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter;

    public static bool IsDecimal(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) == UnicodeCategory.DecimalDigitNumber;

    public static bool IsDigit(int codePoint) => CharUnicodeInfo.GetDigitValue(char.ConvertFromUtf32(Scalar(codePoint)), 0) >= 0;

    public static bool IsNumeric(int codePoint) => CharUnicodeInfo.GetNumericValue(char.ConvertFromUtf32(Scalar(codePoint)), 0) >= 0
        || CharUnicodeInfo.GetNumericValue(char.ConvertFromUtf32(Scalar(codePoint)), 0) < -1;

    public static bool IsAlphanumeric(int codePoint) => IsAlpha(codePoint) || IsDecimal(codePoint) || IsDigit(codePoint) || IsNumeric(codePoint);

    /// <summary>What repr() writes as it is: everything but controls, formats, surrogates, private use, unassigned and spaces other than ' '.</summary>
    public static bool IsPrintable(int codePoint) => codePoint == ' ' || CharUnicodeInfo.GetUnicodeCategory(codePoint)
        is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    private static int Scalar(int codePoint) => codePoint is >= 0xD800 and <= 0xDFFF ? 0xFFFD : codePoint;
}
