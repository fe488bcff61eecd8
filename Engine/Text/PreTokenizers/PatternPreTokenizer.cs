using Fastgen.Engine.Text.Patterns;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>Cuts at the matches of a pattern.</summary>
/// <param name="invert">Whether what lies between the matches counts as match.</param>
internal sealed class PatternPreTokenizer(TextPattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    /// <inheritdoc/>
    public override void Split(Piece piece, List<Piece> output)
    {
        var matches = new List<PatternPiece>();
        pattern.FindMatches(piece.Text, matches);
        for (var i = 0; invert && i < matches.Count; i++)
        {
            matches[i] = matches[i] with { IsMatch = !matches[i].IsMatch };
        }

        PieceSplitter.Split(piece, matches, behavior, output);
    }
}
