using System.Globalization;

namespace Fastgen.Tools.FgBench.Serving;

/// <summary>What a run of <see cref="ServeLoad"/> gave.</summary>
/// <param name="Tokens">Generated in all.</param>
/// <param name="FirstMs">From a request to its first piece of text.</param>
/// <param name="BetweenMs">Between the pieces of a request.</param>
/// <param name="Hash">SHA-256 over all texts in the order of the requests.</param>
/// <param name="CpuSeconds">Processor time of this process.</param>
internal sealed record ServeOutcome(double Seconds, long Tokens, Percentiles FirstMs, Percentiles BetweenMs, string Hash, double CpuSeconds)
{
    public double TokensPerSecond => Tokens / Seconds;

    /// <summary>As a line of the console.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{TokensPerSecond:N0} tok/s, {Seconds:F2} s; first token p50 {FirstMs.P50:F0} p90 {FirstMs.P90:F0} p99 {FirstMs.P99:F0} ms; "
        + $"between pieces p50 {BetweenMs.P50:F2} p90 {BetweenMs.P90:F2} p99 {BetweenMs.P99:F2} ms; texts {Hash[..12]}; this process {CpuSeconds:F2} s of CPU");
}
