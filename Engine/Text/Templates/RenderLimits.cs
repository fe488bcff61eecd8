namespace Fastgen.Engine.Text.Templates;

/// <summary>What one rendering may use. Templates come with models from strangers, so each of them is bounded.</summary>
internal sealed record RenderLimits
{
    public static readonly RenderLimits Default = new();

    /// <summary>Longest text, in UTF-16 units, that a template may print or hold in one string.</summary>
    public int MaxTextChars { get; init; } = 16 << 20;

    /// <summary>All text that one rendering may produce, intermediate strings included.</summary>
    public long MaxTotalChars { get; init; } = 256L << 20;

    /// <summary>Expressions, statements and container elements visited.</summary>
    public long MaxSteps { get; init; } = 20_000_000;

    public TimeSpan MaxTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Nested evaluations: expressions, macros, recursive loops, values inside values.</summary>
    public int MaxDepth { get; init; } = 1000;
}
