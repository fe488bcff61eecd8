namespace Fastgen.Tools.FgBench.Plotting;

/// <summary>What a chart says besides its curves.</summary>
internal sealed record ChartText(string Title, string XAxis, string YAxis);
