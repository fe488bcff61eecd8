using Fastgen.Engine.Model;

namespace Fastgen.Engine.UnitTests.Model;

/// <summary>Expected values were computed in float64 from the formulas of the papers, outside this code.</summary>
public sealed class RotaryFrequenciesTests
{
    [Fact]
    public void Plain_frequencies_fall_geometrically() =>
        AssertFrequencies([1, 0.1, 0.01, 0.001], new RotaryFrequencies(new RopeConfig(), 8, 128));

    [Fact]
    public void Linear_scaling_divides_all() =>
        AssertFrequencies([0.25, 0.025, 0.0025, 0.00025], new RotaryFrequencies(new RopeConfig { Type = RopeType.Linear, Factor = 4 }, 8, 128));

    [Fact]
    public void Llama3_scaling_leaves_short_waves_and_divides_long_ones()
    {
        var config = new RopeConfig { Type = RopeType.Llama3, Theta = 500_000, Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 64 };
        AssertFrequencies([1, 0.0794030092, 0.00470075387, 0.000911583092, 0.000176776695, 3.4281022e-05, 6.64786987e-06, 1.28917317e-06], new RotaryFrequencies(config, 16, 512));
    }

    [Fact]
    public void Yarn_blends_between_two_dimensions()
    {
        var config = new RopeConfig { Type = RopeType.Yarn, Factor = 4, OriginalMaxPositions = 512 };
        var rotary = new RotaryFrequencies(config, 16, 2048);
        AssertFrequencies([1, 0.25693506, 0.0625, 0.0138349648, 0.0025, 0.000790569415, 0.00025, 7.90569415e-05], rotary);
        Assert.Equal(1.138629436, rotary.Scale, 6);
    }

    [Fact]
    public void Yarn_without_truncation_blends_between_fractions()
    {
        var config = new RopeConfig { Type = RopeType.Yarn, Factor = 4, OriginalMaxPositions = 512, Truncate = false };
        AssertFrequencies([1, 0.301406478, 0.0703986366, 0.0143833593, 0.0025, 0.000790569415, 0.00025, 7.90569415e-05], new RotaryFrequencies(config, 16, 2048));
    }

    [Fact]
    public void Yarn_takes_the_ratio_of_two_mscales()
    {
        var config = new RopeConfig { Type = RopeType.Yarn, Factor = 40, OriginalMaxPositions = 4096, Mscale = 0.707, MscaleAllDim = 1 };
        Assert.Equal(0.921042355, new RotaryFrequencies(config, 16, 163_840).Scale, 6);
    }

    [Fact]
    public void Dynamic_scaling_begins_past_the_trained_context()
    {
        var rotary = new RotaryFrequencies(new RopeConfig { Type = RopeType.Dynamic, Factor = 2 }, 8, 16);
        var cosine = new float[4];
        var sine = new float[4];
        rotary.Angles(15, 16, cosine, sine);
        Assert.Equal(Math.Cos(1.5), cosine[1], 5);
        rotary.Angles(20, 21, cosine, sine);
        double[] angles = [20, 1.70116148, 0.144697519, 0.0123076923];
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(Math.Cos(angles[i]), cosine[i], 5);
            Assert.Equal(Math.Sin(angles[i]), sine[i], 5);
        }
    }

    [Fact]
    public void Longrope_takes_its_other_divisors_past_the_original_context()
    {
        var config = new RopeConfig { Type = RopeType.LongRope, Factor = 4, OriginalMaxPositions = 64, ShortFactors = [1, 1.1, 1.4, 2], LongFactors = [1.2, 2, 5, 11] };
        var rotary = new RotaryFrequencies(config, 8, 256);
        Assert.Equal(1.154700538, rotary.Scale, 6);
        Assert.Equal((0, 1, 1), (rotary.Regime(64), rotary.Regime(65), rotary.Regime(200)));
        AssertAngles([10, 0.909090909, 0.071428571, 0.005], 10, 64);
        AssertAngles([8.333333333, 0.5, 0.02, 0.000909091], 10, 65);

        void AssertAngles(double[] expected, int position, int length)
        {
            var cosine = new float[4];
            var sine = new float[4];
            rotary.Angles(position, length, cosine, sine);
            for (var i = 0; i < 4; i++)
            {
                Assert.Equal(1.154700538 * Math.Cos(expected[i]), cosine[i], 5);
                Assert.Equal(1.154700538 * Math.Sin(expected[i]), sine[i], 5);
            }
        }
    }

    [Fact]
    public void Dynamic_scaling_has_a_regime_for_each_length_past_the_trained_context()
    {
        var rotary = new RotaryFrequencies(new RopeConfig { Type = RopeType.Dynamic, Factor = 2 }, 8, 16);
        Assert.Equal((0, 0, 17, 18), (rotary.Regime(1), rotary.Regime(16), rotary.Regime(17), rotary.Regime(18)));
    }

    [Fact]
    public void Queries_grow_with_every_original_context()
    {
        var rotary = new RotaryFrequencies(new RopeConfig { OriginalMaxPositions = 64, QueryScalingBeta = 0.5 }, 8, 256);
        double[] expected = [1, 1, 1.346573590, 1.549306144];
        int[] positions = [0, 63, 64, 130];
        Assert.All(positions.Zip(expected), pair => Assert.Equal(pair.Second, rotary.QueryScale(pair.First), 6));
        Assert.Equal(1, new RotaryFrequencies(new RopeConfig { OriginalMaxPositions = 64 }, 8, 256).QueryScale(130));
    }

    private static void AssertFrequencies(double[] expected, RotaryFrequencies actual)
    {
        Assert.Equal(expected.Length, actual.InverseFrequencies.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(1, actual.InverseFrequencies[i] / expected[i], 5);
        }
    }
}
