namespace Fastgen.Tools.FgBench.Loads;

/// <summary>When requests arrive.</summary>
internal static class Arrivals
{
    /// <summary>Milliseconds from the start at which each request arrives, ascending.</summary>
    /// <param name="count">Requests.</param>
    /// <param name="perSecond">Mean rate of a Poisson process; null lets all arrive at once.</param>
    /// <param name="seed">The same seed gives the same times.</param>
    public static double[] Milliseconds(int count, double? perSecond, int seed)
    {
        var times = new double[count];
        if (perSecond is not { } rate)
        {
            return times;
        }

        var random = new Random(seed);
        double now = 0;
        for (int i = 0; i < count; i++)
        {
            // The time between arrivals is exponential; 1 - x is never 0.
            now += -Math.Log(1 - random.NextDouble()) / rate * 1e3;
            times[i] = now;
        }

        return times;
    }

    /// <summary>Waits until so many milliseconds have passed since a time stamp.</summary>
    public static async Task WaitAsync(long start, double milliseconds, CancellationToken cancellationToken)
    {
        double left = milliseconds - System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        if (left > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(left), cancellationToken);
        }
    }
}
