using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>The pattern of Llama 3 and Qwen: a run of letters with one character before it, up to so many digits, the rest with line ends.</summary>
/// <remarks><c>(?i:'s|…)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>.</remarks>
/// <param name="letters">What counts as letter: L, or L and M.</param>
internal sealed class LetterWordScanner(CharClass letters, int maxDigits) : WordScanner
{
    /// <inheritdoc/>
    public override int WordEnd(ReadOnlySpan<char> text, int start)
    {
        var contraction = Contraction(text, start, ignoreCase: true);
        if (contraction > start)
        {
            return contraction;
        }

        var first = ClassAt(text, start, out var units);

        // The optional lead takes marks too, and gives them back only when no letter follows.
        if ((first & (CharClass.NewLine | CharClass.Letter | CharClass.Number)) == 0 && (ClassAt(text, start + units, out _) & letters) != 0)
        {
            return RunOf(text, start + units, letters);
        }

        if ((first & letters) != 0)
        {
            return RunOf(text, start, letters);
        }

        if ((first & CharClass.Number) != 0)
        {
            return Digits(text, start, maxDigits);
        }

        var worded = letters | CharClass.Number | CharClass.Space;
        var body = text[start] == ' ' ? start + 1 : start;
        if (body < text.Length && (ClassAt(text, body, out _) & worded) == 0)
        {
            return RunOf(text, RunWithout(text, body, worded), CharClass.NewLine);
        }

        return LinesOrSpaces(text, start);
    }

    /// <summary>The end of up to <paramref name="maxDigits"/> numbers.</summary>
    internal static int Digits(ReadOnlySpan<char> text, int start, int maxDigits)
    {
        var end = start;
        for (var i = 0; i < maxDigits && (ClassAt(text, end, out var units) & CharClass.Number) != 0; i++)
        {
            end += units;
        }

        return end;
    }

    /// <summary>The end of <c>\s*[\r\n]+|\s+(?!\S)|\s+</c>.</summary>
    internal static int LinesOrSpaces(ReadOnlySpan<char> text, int start)
    {
        var end = RunOf(text, start, CharClass.Space);
        var lastLine = text[start..end].LastIndexOfAny('\r', '\n');
        return lastLine >= 0 ? start + lastLine + 1 : end < text.Length && end - start > 1 ? end - 1 : end;
    }
}
