namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>SentencePiece's spaces: each becomes a visible character, and one may be put in front.</summary>
internal sealed class MetaspacePreTokenizer(string replacement, MetaspacePrepend prepend, bool split) : PreTokenizer
{
    /// <inheritdoc/>
    public override void Split(Piece piece, List<Piece> output)
    {
        var text = piece.Text.ToString().Replace(" ", replacement, StringComparison.Ordinal);
        if ((prepend == MetaspacePrepend.Always || (prepend == MetaspacePrepend.First && piece.AtStart))
            && !text.StartsWith(replacement, StringComparison.Ordinal))
        {
            text = replacement + text;
        }

        var start = 0;
        while (split)
        {
            var next = text.IndexOf(replacement, start + (start < text.Length ? 1 : 0), StringComparison.Ordinal);
            if (next < 0)
            {
                break;
            }

            output.Add(new Piece(text, start, next - start, piece.AtStart && start == 0));
            start = next;
        }

        if (start < text.Length)
        {
            output.Add(new Piece(text, start, text.Length - start, piece.AtStart && start == 0));
        }
    }
}
