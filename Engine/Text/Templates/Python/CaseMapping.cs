using System.Collections.Frozen;
using System.Text;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>Unicode's full case mappings, as str.upper, lower, title and casefold apply them; .NET's are one-to-one.</summary>
internal static class CaseMapping
{
    private static readonly FrozenDictionary<string, string> Upper = Load(CaseMappingTables.Upper);
    private static readonly FrozenDictionary<string, string> Title = Load(CaseMappingTables.Title);
    private static readonly FrozenDictionary<string, string> Fold = Load(CaseMappingTables.Fold);

    public static string ToUpper(string text) => Ascii.IsValid(text) ? text.ToUpperInvariant() : Map(text, Upper, part => part.ToUpperInvariant());

    public static string ToCaseFold(string text) => Ascii.IsValid(text) ? text.ToLowerInvariant() : Map(text, Fold, part => part == "\u0130" ? "i\u0307" : part.ToLowerInvariant());

    public static string ToLower(string text)
    {
        if (Ascii.IsValid(text))
        {
            return text.ToLowerInvariant();
        }

        var lower = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length;)
        {
            int width = PythonText.WidthAt(text, i);
            lower.Append(LowerAt(text, i, width));
            i += width;
        }

        return lower.ToString();
    }

    /// <summary>Uppercase at the start of each run of cased characters, lowercase within.</summary>
    public static string ToTitle(string text)
    {
        var title = new StringBuilder(text.Length);
        bool inWord = false;
        for (int i = 0; i < text.Length;)
        {
            int width = PythonText.WidthAt(text, i);
            title.Append(inWord ? LowerAt(text, i, width) : TitleOf(text.Substring(i, width)));
            inWord = CharacterTests.IsCased(PythonText.CodePointAt(text, i));
            i += width;
        }

        return title.ToString();
    }

    /// <summary>First character in title case, the rest lowercase.</summary>
    public static string Capitalize(string text)
    {
        if (text.Length == 0)
        {
            return text;
        }

        int width = PythonText.WidthAt(text, 0);
        string lower = ToLower(text);
        return TitleOf(text[..width]) + lower[LowerAt(text, 0, width).Length..];
    }

    public static string SwapCase(string text)
    {
        var swapped = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length;)
        {
            int width = PythonText.WidthAt(text, i);
            string part = text.Substring(i, width);
            int codePoint = PythonText.CodePointAt(text, i);
            swapped.Append(CharacterTests.IsUpperCodePoint(codePoint) ? LowerAt(text, i, width) : CharacterTests.IsLowerCodePoint(codePoint) ? ToUpper(part) : part);
            i += width;
        }

        return swapped.ToString();
    }

    private static string TitleOf(string character) => Title.TryGetValue(character, out string? mapped) ? mapped : ToUpper(character);

    private static string LowerAt(string text, int offset, int width)
    {
        char c = text[offset];
        return c switch
        {
            '\u03a3' => IsFinalSigma(text, offset) ? "\u03c2" : "\u03c3",
            '\u0130' => "i\u0307",
            _ => text.Substring(offset, width).ToLowerInvariant(),
        };
    }

    // A capital sigma that ends a word: a cased letter before it and none after, marks in between not counting.
    private static bool IsFinalSigma(string text, int offset)
    {
        int before = offset - 1;
        while (before >= 0 && CharacterTests.IsCaseIgnorable(text[before]))
        {
            before--;
        }

        int after = offset + 1;
        while (after < text.Length && CharacterTests.IsCaseIgnorable(text[after]))
        {
            after++;
        }

        return before >= 0 && CharacterTests.IsCased(text[before]) && !(after < text.Length && CharacterTests.IsCased(text[after]));
    }

    private static string Map(string text, FrozenDictionary<string, string> special, Func<string, string> simple)
    {
        var mapped = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length;)
        {
            int width = PythonText.WidthAt(text, i);
            string part = text.Substring(i, width);
            mapped.Append(special.TryGetValue(part, out string? found) ? found : simple(part));
            i += width;
        }

        return mapped.ToString();
    }

    private static FrozenDictionary<string, string> Load(string table) => table
        .Split('|', StringSplitOptions.RemoveEmptyEntries)
        .ToFrozenDictionary(entry => entry[..PythonText.WidthAt(entry, 0)], entry => entry[PythonText.WidthAt(entry, 0)..]);
}
