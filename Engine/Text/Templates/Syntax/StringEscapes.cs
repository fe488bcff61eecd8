using System.Globalization;
using System.Text;

namespace Fastgen.Engine.Text.Templates.Syntax;

/// <summary>Python's backslash escapes in string literals; unknown ones stay as they are written.</summary>
internal static class StringEscapes
{
    public static string Decode(ReadOnlySpan<char> literal, int line)
    {
        if (!literal.Contains('\\'))
        {
            return literal.ToString();
        }

        var text = new StringBuilder(literal.Length);
        for (int i = 0; i < literal.Length;)
        {
            char c = literal[i++];
            if (c != '\\' || i >= literal.Length)
            {
                text.Append(c);
                continue;
            }

            char escape = literal[i++];
            switch (escape)
            {
                case '\n': break;
                case '\\' or '\'' or '"': text.Append(escape); break;
                case 'a': text.Append('\a'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                case 'n': text.Append('\n'); break;
                case 'r': text.Append('\r'); break;
                case 't': text.Append('\t'); break;
                case 'v': text.Append('\v'); break;
                case >= '0' and <= '7': AppendOctal(literal, ref i, text); break;
                case 'x': AppendHex(literal, ref i, 2, text, line); break;
                case 'u': AppendHex(literal, ref i, 4, text, line); break;
                case 'U': AppendHex(literal, ref i, 8, text, line); break;
                case 'N': throw new TemplateError(ErrorKind.Syntax, "\\N{...} character names are not supported; write the character itself or \\uXXXX", line);
                default: AppendUnknown(literal, ref i, text); break;
            }
        }

        return text.ToString();
    }

    private static void AppendOctal(ReadOnlySpan<char> literal, ref int i, StringBuilder text)
    {
        int value = literal[i - 1] - '0';
        for (int digits = 1; digits < 3 && i < literal.Length && literal[i] is >= '0' and <= '7'; digits++)
        {
            value = (value * 8) + literal[i++] - '0';
        }

        text.Append((char)value);
    }

    private static void AppendHex(ReadOnlySpan<char> literal, ref int i, int digits, StringBuilder text, int line)
    {
        if (i + digits > literal.Length || !int.TryParse(literal.Slice(i, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) || value is < 0 or > 0x10FFFF)
        {
            throw new TemplateError(ErrorKind.Syntax, $"truncated or illegal \\{literal[i - 1]} escape in a string: {digits} hexadecimal digits must follow", line);
        }

        i += digits;
        text.Append(value < 0x10000 ? ((char)value).ToString() : char.ConvertFromUtf32(value));
    }

    // The reference turns characters beyond ASCII into escapes first, so a backslash before one
    // eats the backslash of that escape and leaves its digits as text.
    private static void AppendUnknown(ReadOnlySpan<char> literal, ref int i, StringBuilder text)
    {
        char c = literal[i - 1];
        text.Append('\\');
        if (char.IsHighSurrogate(c) && i < literal.Length && char.IsLowSurrogate(literal[i]))
        {
            text.Append('U').Append(char.ConvertToUtf32(c, literal[i++]).ToString("x8", CultureInfo.InvariantCulture));
        }
        else if (c < 0x80)
        {
            text.Append(c);
        }
        else
        {
            text.Append(c < 0x100 ? "x" : "u").Append(((int)c).ToString(c < 0x100 ? "x2" : "x4", CultureInfo.InvariantCulture));
        }
    }
}
