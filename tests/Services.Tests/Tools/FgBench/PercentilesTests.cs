using Fastgen.Tools.FgBench;

namespace Fastgen.Services.Tests.Tools.FgBench;

public sealed class PercentilesTests
{
    [Fact]
    public void Of_a_hundred_numbers_they_are_the_numbers_of_that_rank() =>
        Assert.Equal(new Percentiles(100, 50, 90, 99, 100), Percentiles.Of(Enumerable.Range(1, 100).Reverse().Select(i => (double)i)));

    [Fact]
    public void Of_few_numbers_the_high_ones_are_the_largest() => Assert.Equal(new Percentiles(3, 2, 3, 3, 3), Percentiles.Of([3, 1, 2]));

    [Fact]
    public void Of_none_they_are_zero() => Assert.Equal(default, Percentiles.Of([]));
}
