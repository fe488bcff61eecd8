namespace Fastgen.Engine.Text.Patterns;

/// <summary>Something that occurs in a text: a literal or a regular expression.</summary>
internal abstract class TextPattern
{
    /// <summary>Adds the pieces of <paramref name="text"/> in order, those that match and those between; empty text is one piece without a match.</summary>
    /// <exception cref="TokenizerFormatException">The pattern needs unreasonably many steps on this text.</exception>
    public abstract void FindMatches(ReadOnlySpan<char> text, List<PatternPiece> pieces);

    /// <summary>Replaces every match with <paramref name="content"/>, taken literally.</summary>
    public virtual string Replace(string text, string content)
    {
        var pieces = new List<PatternPiece>();
        FindMatches(text, pieces);
        if (!pieces.Exists(piece => piece.IsMatch))
        {
            return text;
        }

        var result = new System.Text.StringBuilder(text.Length);
        foreach (var piece in pieces)
        {
            if (piece.IsMatch)
            {
                result.Append(content);
            }
            else
            {
                result.Append(text, piece.Start, piece.End - piece.Start);
            }
        }

        return result.ToString();
    }
}
