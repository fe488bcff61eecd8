using System.Diagnostics;

namespace Fastgen.Tools.FgBench;

/// <summary>Shortest of many runs: what the machine can do when nobody disturbs it.</summary>
internal static class BestOf
{
    /// <summary>Runs an action again and again for about a time.</summary>
    /// <returns>Seconds of the shortest and of the median run.</returns>
    public static (double Best, double Median) Seconds(double budgetSeconds, Action action)
    {
        var times = new List<double>();
        action();
        var all = Stopwatch.StartNew();
        while (times.Count < 5 || (all.Elapsed.TotalSeconds < budgetSeconds && times.Count < 10_000))
        {
            var start = Stopwatch.GetTimestamp();
            action();
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        times.Sort();
        return (times[0], times[times.Count / 2]);
    }
}
