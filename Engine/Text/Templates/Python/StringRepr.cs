using System.Globalization;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>repr() of a str.</summary>
internal static class StringRepr
{
    /// <summary>For messages, where no rendering may be in progress.</summary>
    public static string Of(string text) => "'" + text.Replace("\n", "\\n", StringComparison.Ordinal) + "'";

    public static void Write(string text, TextBuffer output, bool asciiOnly = false)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        output.Append(quote);
        for (int i = 0; i < text.Length;)
        {
            int width = PythonText.WidthAt(text, i);
            WriteCodePoint(PythonText.CodePointAt(text, i), text.AsSpan(i, width), quote, asciiOnly, output);
            i += width;
        }

        output.Append(quote);
    }

    private static void WriteCodePoint(int codePoint, ReadOnlySpan<char> written, char quote, bool asciiOnly, TextBuffer output)
    {
        switch (codePoint)
        {
            case '\\': output.Append("\\\\"); break;
            case '\n': output.Append("\\n"); break;
            case '\r': output.Append("\\r"); break;
            case '\t': output.Append("\\t"); break;
            case var c when c == quote: output.Append('\\').Append(quote); break;
            case >= ' ' and < 0x7f: output.Append((char)codePoint); break;
            case > 0x7f when !asciiOnly && PythonText.IsPrintable(codePoint): output.Append(written); break;
            case < 0x100: output.Append("\\x").Append(codePoint.ToString("x2", CultureInfo.InvariantCulture)); break;
            case < 0x10000: output.Append("\\u").Append(codePoint.ToString("x4", CultureInfo.InvariantCulture)); break;
            default: output.Append("\\U").Append(codePoint.ToString("x8", CultureInfo.InvariantCulture)); break;
        }
    }
}
