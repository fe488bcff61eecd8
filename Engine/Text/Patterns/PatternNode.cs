namespace Fastgen.Engine.Text.Patterns;

/// <summary>How a repetition gives characters back.</summary>
internal enum RepeatMode
{
    Greedy,
    Lazy,
    Possessive,
}

/// <summary>The kinds of zero-width assertion.</summary>
internal enum Anchor
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrLastNewLine,
    WordBoundary,
    NotWordBoundary,
    SearchStart,
}

/// <summary>A part of a parsed pattern.</summary>
internal abstract record PatternNode
{
    internal sealed record Empty : PatternNode;

    internal sealed record Set(CodePointSet CodePoints) : PatternNode;

    internal sealed record Assertion(Anchor Kind) : PatternNode;

    internal sealed record Sequence(IReadOnlyList<PatternNode> Items) : PatternNode;

    internal sealed record Alternatives(IReadOnlyList<PatternNode> Items) : PatternNode;

    /// <param name="Max">int.MaxValue: without bound.</param>
    internal sealed record Repeat(PatternNode Body, int Min, int Max, RepeatMode Mode) : PatternNode;

    internal sealed record Atomic(PatternNode Body) : PatternNode;

    internal sealed record Look(PatternNode Body, bool Ahead, bool Negative) : PatternNode;
}
