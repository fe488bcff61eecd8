using System.Runtime.InteropServices;
using Fastgen.Engine.Text.Patterns;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>Applies a <see cref="SplitBehavior"/> to matches.</summary>
internal static class PieceSplitter
{
    /// <summary>Appends the parts of <paramref name="piece"/>; <paramref name="matches"/> cover it in order and may be overwritten.</summary>
    public static void Split(Piece piece, List<PatternPiece> matches, SplitBehavior behavior, List<Piece> output)
    {
        var parts = CollectionsMarshal.AsSpan(matches);
        var count = behavior switch
        {
            SplitBehavior.Contiguous => Join(parts, static (isMatch, previous) => isMatch == previous),
            SplitBehavior.MergedWithPrevious => Join(parts, static (isMatch, previous) => isMatch && !previous),
            SplitBehavior.MergedWithNext => JoinBackwards(parts),
            _ => parts.Length,
        };
        foreach (var part in parts[..count])
        {
            if (part.End > part.Start && !(behavior == SplitBehavior.Removed && part.IsMatch))
            {
                output.Add(new Piece(piece.Source, piece.Start + part.Start, part.End - part.Start, piece.AtStart && part.Start == 0));
            }
        }
    }

    private static int Join(Span<PatternPiece> parts, Func<bool, bool, bool> joins)
    {
        var kept = 0;
        var previous = false;
        foreach (var part in parts)
        {
            if (kept > 0 && joins(part.IsMatch, previous))
            {
                parts[kept - 1] = parts[kept - 1] with { End = part.End };
            }
            else
            {
                parts[kept++] = part;
            }

            previous = part.IsMatch;
        }

        return kept;
    }

    private static int JoinBackwards(Span<PatternPiece> parts)
    {
        parts.Reverse();
        var kept = 0;
        var previous = false;
        foreach (var part in parts)
        {
            if (kept > 0 && part.IsMatch && !previous)
            {
                parts[kept - 1] = parts[kept - 1] with { Start = part.Start };
            }
            else
            {
                parts[kept++] = part;
            }

            previous = part.IsMatch;
        }

        parts[..kept].Reverse();
        return kept;
    }
}
