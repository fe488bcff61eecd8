namespace Fastgen.Tools.FgBench.Plotting;

/// <summary>A line of a chart.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Points">Ascending by x.</param>
internal sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points)
{
    /// <summary>Where the figures are from, when not measured here.</summary>
    public string? Source { get; init; }
}
