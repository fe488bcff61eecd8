using Fastgen.Engine;

namespace Fastgen.Tools.FgBench.Loads;

/// <summary>Differences between two moments of an engine.</summary>
internal static class EngineStatisticsExtensions
{
    public static EngineWork Since(this EngineStatistics now, EngineStatistics before) => new(
        now.Steps - before.Steps, now.Preemptions - before.Preemptions, now.DeviceBusyMs - before.DeviceBusyMs, now.DeviceGapMs - before.DeviceGapMs);
}
