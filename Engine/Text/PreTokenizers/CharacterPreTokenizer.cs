using Fastgen.Engine.Text.Patterns;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>Cuts at single characters of a kind.</summary>
internal sealed class CharacterPreTokenizer(Func<int, bool> isDelimiter, SplitBehavior behavior) : PreTokenizer
{
    /// <inheritdoc/>
    public override void Split(Piece piece, List<Piece> output)
    {
        var matches = new List<PatternPiece>();
        var text = piece.Text;
        var previous = 0;
        for (var i = 0; i < text.Length;)
        {
            var codePoint = CharProperties.CodePointAt(text, i, out var units);
            if (isDelimiter(codePoint))
            {
                if (previous < i)
                {
                    matches.Add(new PatternPiece(previous, i, false));
                }

                matches.Add(new PatternPiece(i, i + units, true));
                previous = i + units;
            }

            i += units;
        }

        if (previous < text.Length)
        {
            matches.Add(new PatternPiece(previous, text.Length, false));
        }

        PieceSplitter.Split(piece, matches, behavior, output);
    }
}
