namespace Fastgen.Engine.Text.Patterns;

/// <summary>A literal, compared unit by unit.</summary>
internal sealed class LiteralPattern(string literal) : TextPattern
{
    /// <summary>What is looked for; never empty.</summary>
    public string Literal { get; } = literal;

    /// <inheritdoc/>
    public override void FindMatches(ReadOnlySpan<char> text, List<PatternPiece> pieces)
    {
        if (text.IsEmpty)
        {
            pieces.Add(new PatternPiece(0, 0, false));
            return;
        }

        var previous = 0;
        while (text[previous..].IndexOf(Literal, StringComparison.Ordinal) is var offset and >= 0)
        {
            if (offset > 0)
            {
                pieces.Add(new PatternPiece(previous, previous + offset, false));
            }

            pieces.Add(new PatternPiece(previous + offset, previous + offset + Literal.Length, true));
            previous += offset + Literal.Length;
        }

        if (previous < text.Length)
        {
            pieces.Add(new PatternPiece(previous, text.Length, false));
        }
    }

    /// <inheritdoc/>
    public override string Replace(string text, string content) => text.Replace(Literal, content, StringComparison.Ordinal);
}
