using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Patterns;

/// <summary>A regular expression in Oniguruma's syntax, matched in time proportional to the text.</summary>
internal sealed class RegexPattern : TextPattern
{
    private readonly PatternInstruction[] _code;
    private readonly PatternCompiler _facts;
    private readonly CodePointSet? _first;

    /// <summary>Compiles <paramref name="pattern"/>.</summary>
    /// <exception cref="TokenizerFormatException">The pattern is malformed or uses what is not supported.</exception>
    public RegexPattern(string pattern)
    {
        var node = PatternParser.Parse(pattern);
        _code = PatternCompiler.Compile(pattern, node, out _facts);
        _first = PatternCompiler.FirstSet(node);
    }

    /// <inheritdoc/>
    public override void FindMatches(ReadOnlySpan<char> text, List<PatternPiece> pieces)
    {
        if (text.IsEmpty)
        {
            pieces.Add(new PatternPiece(0, 0, false));
            return;
        }

        var matcher = new PatternMatcher(_code, _facts, text);
        try
        {
            int previous = 0, from = 0, lastEnd = -1;
            while (from <= text.Length && Search(ref matcher, text, from, out var start, out var end))
            {
                if (start == end && lastEnd == end)
                {
                    // An empty match right behind the last one would never end.
                    from = end < text.Length ? end + Units(text, end) : end + 1;
                    continue;
                }

                if (start > previous)
                {
                    pieces.Add(new PatternPiece(previous, start, false));
                }

                pieces.Add(new PatternPiece(start, end, true));
                previous = from = lastEnd = end;
            }

            if (previous < text.Length)
            {
                pieces.Add(new PatternPiece(previous, text.Length, false));
            }
        }
        finally
        {
            matcher.Dispose();
        }
    }

    private bool Search(ref PatternMatcher matcher, ReadOnlySpan<char> text, int from, out int start, out int end)
    {
        for (start = from; start <= text.Length; start += start < text.Length ? Units(text, start) : 1)
        {
            if (_first is not null && (start == text.Length || !_first.Contains(CharProperties.CodePointAt(text, start, out _))))
            {
                continue;
            }

            end = matcher.MatchAt(start, from);
            if (end >= 0)
            {
                return true;
            }
        }

        end = -1;
        return false;
    }

    private static int Units(ReadOnlySpan<char> text, int position)
    {
        _ = CharProperties.CodePointAt(text, position, out var units);
        return units;
    }
}
