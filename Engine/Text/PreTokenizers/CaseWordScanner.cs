using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>The pattern of Tekken and o200k: words end where lower case turns to upper case.</summary>
/// <remarks>
/// With U = <c>[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]</c> and W = <c>[\p{Ll}\p{Lm}\p{Lo}\p{M}]</c>:
/// <c>[^\r\n\p{L}\p{N}]?U*W+|[^\r\n\p{L}\p{N}]?U+W*|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>,
/// the first two with contractions behind them in o200k.
/// </remarks>
internal sealed class CaseWordScanner(int maxDigits, bool contractions) : WordScanner
{
    /// <inheritdoc/>
    public override int WordEnd(ReadOnlySpan<char> text, int start)
    {
        var first = ClassAt(text, start, out var units);
        var canLead = (first & (CharClass.NewLine | CharClass.Letter | CharClass.Number)) == 0;
        var end = canLead ? MixedWord(text, start + units) : -1;
        end = end < 0 ? MixedWord(text, start) : end;
        if (end < 0)
        {
            var upper = canLead ? RunOf(text, start + units, CharClass.UpperLike) : start;
            end = canLead && upper > start + units ? upper : -1;
            if (end < 0 && (first & CharClass.UpperLike) != 0)
            {
                end = RunOf(text, start, CharClass.UpperLike);
            }
        }

        if (end >= 0)
        {
            return contractions ? Contraction(text, end, ignoreCase: true) : end;
        }

        if ((first & CharClass.Number) != 0)
        {
            return LetterWordScanner.Digits(text, start, maxDigits);
        }

        const CharClass Worded = CharClass.Letter | CharClass.Number | CharClass.Space;
        var body = text[start] == ' ' ? start + 1 : start;
        if (body < text.Length && (ClassAt(text, body, out _) & Worded) == 0)
        {
            end = RunWithout(text, body, Worded);
            while (end < text.Length && text[end] is ('\r' or '\n' or '/'))
            {
                end++;
            }

            return end;
        }

        return LetterWordScanner.LinesOrSpaces(text, start);
    }

    // U*W+ from here, or -1.
    private static int MixedWord(ReadOnlySpan<char> text, int start)
    {
        var upperEnd = RunOf(text, start, CharClass.UpperLike);
        if ((ClassAt(text, upperEnd, out _) & CharClass.LowerLike) != 0)
        {
            return RunOf(text, upperEnd, CharClass.LowerLike);
        }

        // U* gives back up to its last character that is in W as well; behind that one stands upper case or the end.
        var end = upperEnd;
        while (end > start)
        {
            var codePoint = CharProperties.CodePointBefore(text, end, out var units);
            if ((CharProperties.Of(codePoint) & CharClass.LowerLike) != 0)
            {
                return end;
            }

            end -= units;
        }

        return -1;
    }
}
