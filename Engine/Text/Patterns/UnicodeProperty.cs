using System.Globalization;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Patterns;

/// <summary>Sets of code points by the names that patterns use.</summary>
internal static class UnicodeProperty
{
    // Two-letter general categories, in the order of UnicodeCategory.
    private static readonly string[] Categories =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc",
        "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    private static readonly Dictionary<string, string> LongNames = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L",
        ["Mark"] = "M",
        ["Number"] = "N",
        ["Separator"] = "Z",
        ["Other"] = "C",
        ["Punctuation"] = "P",
        ["Symbol"] = "S",
        ["UppercaseLetter"] = "Lu",
        ["LowercaseLetter"] = "Ll",
        ["TitlecaseLetter"] = "Lt",
        ["ModifierLetter"] = "Lm",
        ["OtherLetter"] = "Lo",
        ["NonspacingMark"] = "Mn",
        ["SpacingMark"] = "Mc",
        ["EnclosingMark"] = "Me",
        ["DecimalNumber"] = "Nd",
        ["LetterNumber"] = "Nl",
        ["OtherNumber"] = "No",
        ["SpaceSeparator"] = "Zs",
        ["LineSeparator"] = "Zl",
        ["ParagraphSeparator"] = "Zp",
        ["Control"] = "Cc",
        ["Format"] = "Cf",
        ["Surrogate"] = "Cs",
        ["PrivateUse"] = "Co",
        ["ConnectorPunctuation"] = "Pc",
        ["DashPunctuation"] = "Pd",
        ["OpenPunctuation"] = "Ps",
        ["ClosePunctuation"] = "Pe",
        ["InitialPunctuation"] = "Pi",
        ["FinalPunctuation"] = "Pf",
        ["OtherPunctuation"] = "Po",
        ["MathSymbol"] = "Sm",
        ["CurrencySymbol"] = "Sc",
        ["ModifierSymbol"] = "Sk",
        ["OtherSymbol"] = "So",
        ["Unassigned"] = "Cn",
    };

    /// <summary>The set of <c>\p{name}</c>: a general category, a script, a binary property or a POSIX class; null when unknown.</summary>
    public static CodePointSet? ByName(string name)
    {
        var simple = name.Replace("_", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);
        foreach (var prefix in (string[])["Script=", "sc=", "GeneralCategory=", "gc="])
        {
            simple = simple.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) ? simple[prefix.Length..] : simple;
        }

        simple = LongNames.GetValueOrDefault(simple, simple);
        if (string.Equals(simple, "LC", StringComparison.OrdinalIgnoreCase))
        {
            return CodePointSet.Categories(UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter);
        }

        var categories = Categories
            .Select((code, index) => (Code: code, Category: (UnicodeCategory)index))
            .Where(entry => simple.Length is 1 or 2 && entry.Code.StartsWith(simple, StringComparison.OrdinalIgnoreCase))
            .Select(entry => entry.Category)
            .ToArray();
        if (categories.Length > 0)
        {
            return CodePointSet.Categories(categories);
        }

        var script = Scripts.ByName(simple);
        if (script != Scripts.None)
        {
            return CodePointSet.Where(c => Scripts.Of(c) == script);
        }

        return simple.ToUpperInvariant() switch
        {
            "ANY" => CodePointSet.Where(_ => true),
            "ASSIGNED" => CodePointSet.Where(c => CharUnicodeInfo.GetUnicodeCategory(c) != UnicodeCategory.OtherNotAssigned),
            "ALPHABETIC" => CodePointSet.Where(CharProperties.IsAlphabetic),
            "UPPERCASE" => Posix("upper"),
            "LOWERCASE" => Posix("lower"),
            "WHITESPACE" => Posix("space"),
            _ => Posix(simple),
        };
    }

    /// <summary>The set of <c>[:name:]</c>; null when unknown.</summary>
    public static CodePointSet? Posix(string name) => name.ToUpperInvariant() switch
    {
        "ALPHA" => CodePointSet.Where(CharProperties.IsAlphabetic),
        "DIGIT" => CodePointSet.Categories(UnicodeCategory.DecimalDigitNumber),
        "ALNUM" => CodePointSet.Where(c => CharProperties.IsAlphabetic(c) || CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.DecimalDigitNumber),
        "UPPER" => CodePointSet.Categories(UnicodeCategory.UppercaseLetter),
        "LOWER" => CodePointSet.Categories(UnicodeCategory.LowercaseLetter),
        "PUNCT" => CodePointSet.Where(c => CharProperties.IsPunctuation(c)),
        "SPACE" => CodePointSet.Where(CharProperties.IsWhiteSpace),
        "BLANK" => CodePointSet.Where(c => c == '\t' || CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.SpaceSeparator),
        "CNTRL" => CodePointSet.Categories(UnicodeCategory.Control),
        "XDIGIT" => CodePointSet.Where(c => c < 128 && char.IsAsciiHexDigit((char)c)),
        "WORD" => CodePointSet.Where(CharProperties.IsWord),
        "ASCII" => CodePointSet.Range(0, 127),
        "GRAPH" => CodePointSet.Where(c => !CharProperties.IsWhiteSpace(c) && !IsUngraphic(c)),
        "PRINT" => CodePointSet.Where(c => CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.SpaceSeparator || (!CharProperties.IsWhiteSpace(c) && !IsUngraphic(c))),
        _ => null,
    };

    private static bool IsUngraphic(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
        is UnicodeCategory.Control or UnicodeCategory.OtherNotAssigned or UnicodeCategory.Surrogate;
}
