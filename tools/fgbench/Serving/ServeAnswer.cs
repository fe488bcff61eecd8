namespace Fastgen.Tools.FgBench.Serving;

/// <summary>What one request gave.</summary>
internal readonly record struct ServeAnswer(string Text, int Tokens)
{
    /// <summary>Milliseconds from the request to each piece of text.</summary>
    public IReadOnlyList<double> PieceMs { get; init; } = [];
}
