using System.Buffers;
using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.AddedTokens;

/// <summary>Finds added tokens: leftmost first, of those that begin together the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly List<(AddedToken Token, int Id)> _tokens = [];

    // A trie: (node, UTF-16 unit) to (child, index into tokens or -1).
    private readonly PairTable _children = new(16);
    private readonly SearchValues<char> _firstUnits;

    /// <param name="patterns">What to look for, the token that it stands for, and its id; of equal patterns the first counts.</param>
    public AddedTokenMatcher(IEnumerable<(string Pattern, AddedToken Token, int Id)> patterns)
    {
        var first = new HashSet<char>();
        var nodes = 1;
        foreach (var (pattern, token, id) in patterns.Where(entry => entry.Pattern.Length > 0))
        {
            first.Add(pattern[0]);
            var node = 0;
            for (var i = 0; i < pattern.Length; i++)
            {
                if (!_children.TryGet(node, pattern[i], out var child, out var index))
                {
                    child = nodes++;
                }

                if (i == pattern.Length - 1 && index < 0)
                {
                    index = _tokens.Count;
                    _tokens.Add((token, id));
                }

                _children.Set(node, pattern[i], child, index);
                node = child;
            }
        }

        _firstUnits = SearchValues.Create([.. first]);
    }

    /// <summary>Appends the segments of <paramref name="text"/>; empty text has none.</summary>
    public void Split(ReadOnlySpan<char> text, List<TextSegment> segments)
    {
        int done = 0, from = 0;
        while (_tokens.Count > 0 && TryFind(text, ref from, out var start, out var stop, out var index))
        {
            var (token, id) = _tokens[index];
            from = stop;
            if (token.SingleWord && ((start > 0 && IsWordBefore(text, start)) || (stop < text.Length && IsWordAt(text, stop))))
            {
                continue;
            }

            // White space that the token before has swallowed is not swallowed again.
            while (token.StripLeft && start > done && CharProperties.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }

            while (token.StripRight && stop < text.Length && CharProperties.IsWhiteSpace(text[stop]))
            {
                stop++;
            }

            if (done < start)
            {
                segments.Add(new TextSegment(done, start - done, -1));
            }

            segments.Add(new TextSegment(start, stop - start, id));
            done = stop;
        }

        if (done < text.Length)
        {
            segments.Add(new TextSegment(done, text.Length - done, -1));
        }
    }

    private bool TryFind(ReadOnlySpan<char> text, ref int from, out int start, out int stop, out int index)
    {
        while (from < text.Length && text[from..].IndexOfAny(_firstUnits) is var offset and >= 0)
        {
            start = from + offset;
            stop = index = -1;
            for (int i = start, node = 0; i < text.Length && _children.TryGet(node, text[i], out node, out var found); i++)
            {
                if (found >= 0)
                {
                    (stop, index) = (i + 1, found);
                }
            }

            if (stop >= 0)
            {
                return true;
            }

            from = start + 1;
        }

        start = stop = index = -1;
        return false;
    }

    private static bool IsWordBefore(ReadOnlySpan<char> text, int index) => IsWord(CharProperties.CodePointBefore(text, index, out _));

    private static bool IsWordAt(ReadOnlySpan<char> text, int index) => IsWord(CharProperties.CodePointAt(text, index, out _));

    // The reference's other regular expression library counts the two joiners as word characters too.
    private static bool IsWord(int codePoint) => CharProperties.IsWord(codePoint) || codePoint is 0x200C or 0x200D;
}
