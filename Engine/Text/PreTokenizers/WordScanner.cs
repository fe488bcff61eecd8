using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>A well-known word pattern written by hand: it matches at every position, so words follow each other without gaps.</summary>
internal abstract class WordScanner : PreTokenizer
{
    /// <summary>The scanner that equals a regular expression of a tokenizer file; null when there is none.</summary>
    public static WordScanner? ForPattern(string pattern) => KnownPatterns.GetValueOrDefault(pattern)?.Invoke();

    private static readonly Dictionary<string, Func<WordScanner>> KnownPatterns = BuildKnownPatterns();

    /// <summary>The end of the word that begins at <paramref name="start"/>.</summary>
    public abstract int WordEnd(ReadOnlySpan<char> text, int start);

    /// <inheritdoc/>
    public sealed override void Split(Piece piece, List<Piece> output)
    {
        var text = piece.Text;
        for (var start = 0; start < text.Length;)
        {
            var end = WordEnd(text, start);
            output.Add(new Piece(piece.Source, piece.Start + start, end - start, piece.AtStart && start == 0));
            start = end;
        }
    }

    /// <summary>The classes of the character at <paramref name="index"/>, <see cref="CharClass.None"/> at the end.</summary>
    protected static CharClass ClassAt(ReadOnlySpan<char> text, int index, out int units)
    {
        units = 1;
        if (index >= text.Length)
        {
            return CharClass.None;
        }

        var c = text[index];
        return char.IsHighSurrogate(c) ? CharProperties.Of(CharProperties.CodePointAt(text, index, out units)) : CharProperties.Of(c);
    }

    /// <summary>The end of the run of characters that have any of <paramref name="classes"/>.</summary>
    protected static int RunOf(ReadOnlySpan<char> text, int index, CharClass classes)
    {
        while (index < text.Length && (ClassAt(text, index, out var units) & classes) != 0)
        {
            index += units;
        }

        return index;
    }

    /// <summary>The end of the run of characters that have none of <paramref name="classes"/>.</summary>
    protected static int RunWithout(ReadOnlySpan<char> text, int index, CharClass classes)
    {
        while (index < text.Length && (ClassAt(text, index, out var units) & classes) == 0)
        {
            index += units;
        }

        return index;
    }

    /// <summary>The end of <c>'s 't 're 've 'm 'll 'd</c> at <paramref name="index"/>, or <paramref name="index"/>.</summary>
    protected static int Contraction(ReadOnlySpan<char> text, int index, bool ignoreCase)
    {
        if (index + 1 >= text.Length || text[index] != '\'')
        {
            return index;
        }

        var first = Letter(text, index + 1, ignoreCase);
        if (first is 's' or 't' or 'm' or 'd')
        {
            return index + 2;
        }

        var second = Letter(text, index + 2, ignoreCase);
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? index + 3 : index;
    }

    /// <summary>The end of <c>\s+(?!\S)|\s+</c>: white space, but for the last character when a word follows.</summary>
    protected static int Spaces(ReadOnlySpan<char> text, int start)
    {
        var end = RunOf(text, start, CharClass.Space);
        return end < text.Length && end - start > 1 ? end - 1 : end;
    }

    private static char Letter(ReadOnlySpan<char> text, int index, bool ignoreCase)
    {
        var c = index < text.Length ? text[index] : '\0';
        return !ignoreCase ? c : c == '\u017F' ? 's' : char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c;
    }

    private static Dictionary<string, Func<WordScanner>> BuildKnownPatterns()
    {
        const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
        const string SpaceTail = @"|\s*[\r\n]+|\s+(?!\S)|\s+";
        const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
        const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
        const string Lead = @"[^\r\n\p{L}\p{N}]?";
        var known = new Dictionary<string, Func<WordScanner>>(StringComparer.Ordinal)
        {
            [@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"] = () => new Gpt2WordScanner(),
        };
        foreach (var (digits, maxDigits) in ((string, int)[])[(@"\p{N}", 1), (@"\p{N}{1,2}", 2), (@"\p{N}{1,3}", 3)])
        {
            known[$@"{Contractions}|{Lead}\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{SpaceTail}"] =
                () => new LetterWordScanner(CharClass.Letter, maxDigits);
            known[$@"{Contractions}|{Lead}[\p{{L}}\p{{M}}]+|{digits}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*{SpaceTail}"] =
                () => new LetterWordScanner(CharClass.Letter | CharClass.Mark, maxDigits);
            foreach (var (suffix, contractions) in ((string, bool)[])[("", false), (Contractions + "?", true)])
            {
                known[$@"{Lead}{Upper}*{Lower}+{suffix}|{Lead}{Upper}+{Lower}*{suffix}|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{SpaceTail}"] =
                    () => new CaseWordScanner(maxDigits, contractions);
            }
        }

        return known;
    }
}
