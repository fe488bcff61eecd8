using Fastgen.Tools.FgBench.Loads;

namespace Fastgen.Services.Tests.Tools.FgBench;

public sealed class ArrivalsTests
{
    [Fact]
    public void They_are_those_of_a_Poisson_process()
    {
        double[] times = Arrivals.Milliseconds(40_000, 50, seed: 3);
        double[] gaps = [.. times.Select((time, i) => i == 0 ? time : time - times[i - 1])];

        Assert.All(gaps, gap => Assert.True(gap > 0));
        // Exponential with a mean of 20 ms: so is its standard deviation, and a share of 1/e is longer than the mean.
        double mean = gaps.Average();
        Assert.InRange(mean, 19.5, 20.5);
        Assert.InRange(Math.Sqrt(gaps.Average(gap => (gap - mean) * (gap - mean))), 19.3, 20.7);
        Assert.InRange(gaps.Count(gap => gap > 20) / 40_000.0, Math.Exp(-1) - 0.01, Math.Exp(-1) + 0.01);
    }

    [Fact]
    public void The_seed_decides()
    {
        Assert.Equal(Arrivals.Milliseconds(100, 7, seed: 1), Arrivals.Milliseconds(100, 7, seed: 1));
        Assert.NotEqual(Arrivals.Milliseconds(100, 7, seed: 1), Arrivals.Milliseconds(100, 7, seed: 2));
    }

    [Fact]
    public void Without_a_rate_all_come_at_once() => Assert.All(Arrivals.Milliseconds(5, null, seed: 1), time => Assert.Equal(0, time));
}
