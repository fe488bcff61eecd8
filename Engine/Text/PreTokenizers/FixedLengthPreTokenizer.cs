using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>Cuts after every so many characters.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : PreTokenizer
{
    /// <inheritdoc/>
    public override void Split(Piece piece, List<Piece> output)
    {
        var text = piece.Text;
        int start = 0, count = 0;
        for (var i = 0; i < text.Length;)
        {
            _ = CharProperties.CodePointAt(text, i, out var units);
            i += units;
            if (++count == length || i == text.Length)
            {
                output.Add(new Piece(piece.Source, piece.Start + start, i - start, piece.AtStart && start == 0));
                start = i;
                count = 0;
            }
        }
    }
}
