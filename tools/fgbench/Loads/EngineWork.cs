namespace Fastgen.Tools.FgBench.Loads;

/// <summary>What an engine did during a measurement.</summary>
/// <param name="BusyMs">Milliseconds that the GPU computed; 0 on a CPU.</param>
/// <param name="GapMs">Milliseconds that it waited for the host between steps.</param>
internal readonly record struct EngineWork(long Steps, long Preemptions, double BusyMs, double GapMs)
{
    public double GapShare => GapMs / Math.Max(1e-9, GapMs + BusyMs);

    public double GapUsPerStep => GapMs * 1e3 / Math.Max(1, Steps);
}
