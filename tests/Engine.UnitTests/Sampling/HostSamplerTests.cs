using Fastgen.Engine.Batching;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.UnitTests.Sampling;

public sealed class HostSamplerTests
{
    private const int Draws = 15_000;

    public static TheoryData<string, SamplingParameters> Distributions() => new()
    {
        { "plain", new SamplingParameters() },
        { "warm", new SamplingParameters { Temperature = 1.7f } },
        { "cold", new SamplingParameters { Temperature = 0.4f } },
        { "top-k", new SamplingParameters { TopK = 7 } },
        { "top-k 1", new SamplingParameters { TopK = 1 } },
        { "top-k beyond the vocabulary", new SamplingParameters { TopK = 100_000 } },
        { "top-p", new SamplingParameters { TopP = 0.8f } },
        { "tiny top-p", new SamplingParameters { TopP = 0.0001f } },
        { "min-p", new SamplingParameters { MinP = 0.1f } },
        { "top-k and top-p", new SamplingParameters { TopK = 12, TopP = 0.7f } },
        { "all", new SamplingParameters { Temperature = 1.3f, TopK = 40, TopP = 0.95f, MinP = 0.02f } },
        { "penalties", new SamplingParameters { RepetitionPenalty = 1.8f, PresencePenalty = 0.7f, FrequencyPenalty = 0.4f } },
        { "negative penalties", new SamplingParameters { RepetitionPenalty = 0.6f, PresencePenalty = -1f, FrequencyPenalty = -0.3f, TopP = 0.9f } },
        { "bias", new SamplingParameters { LogitBias = new Dictionary<int, float> { [3] = 4.5f, [11] = -100f, [4] = 2 }, TopK = 9 } },
    };

    [Theory]
    [MemberData(nameof(Distributions))]
    public void Draws_follow_the_reference_distribution(string name, SamplingParameters parameters)
    {
        foreach (int vocabulary in new[] { 50, 1100 })
        {
            float[] logits = Logits(vocabulary, seed: 5, spread: 2.5f);
            int[] history = [1, 2, 3, 3, 4, 4, 4, 7, 7, 20];
            int[] banned = [9, 0];
            double[] expected = ReferenceDistribution.Of(logits, parameters, history, promptTokens: 4, banned);
            int[] counts = new int[vocabulary];
            using var sampler = new HostSampler();
            SampleRow row = Row(parameters, history, 4, banned);
            StepOutput output = Output(row);
            row.Seed = 77;
            for (int i = 0; i < Draws; i++)
            {
                row.OutputPosition = i;
                sampler.Sample(row, logits, 0, output);
                counts[output.TokenIds[0]]++;
            }

            AssertFits(name, expected, counts);
        }
    }

    [Fact]
    public void Equal_logits_are_cut_at_the_lower_ids()
    {
        float[] logits = new float[1000];
        logits[500] = -0f;
        var parameters = new SamplingParameters { TopK = 10, TopP = 0.5f };
        HashSet<int> seen = [.. Draw(logits, parameters, 2000)];
        Assert.Equal([0, 1, 2, 3, 4], seen.Order());
    }

    [Fact]
    public void A_wide_range_of_logits_and_a_low_temperature_stay_exact()
    {
        float[] logits = Logits(3000, seed: 2, spread: 4);
        logits[17] = -30_000;
        logits[1234] = 60;
        logits[1235] = 59.9f;
        foreach (float temperature in new[] { 1e-6f, 0.05f })
        {
            var parameters = new SamplingParameters { Temperature = temperature, TopK = 50, TopP = 0.99f };
            double[] expected = ReferenceDistribution.Of(logits, parameters, [], 0, []);
            int[] counts = new int[logits.Length];
            foreach (int token in Draw(logits, parameters, Draws))
            {
                counts[token]++;
            }

            AssertFits($"temperature {temperature}", expected, counts);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(31)]
    [InlineData(1025)]
    public void Greedy_takes_the_first_of_the_largest(int vocabulary)
    {
        for (int place = 0; place < vocabulary; place += Math.Max(1, vocabulary / 16))
        {
            float[] logits = new float[vocabulary];
            Array.Fill(logits, -5f);
            logits[place] = 2;
            logits[^1] = 2;
            Assert.Equal(place, Draw(logits, new SamplingParameters { Temperature = 0 }, 1)[0]);
        }
    }

    [Fact]
    public void Greedy_respects_penalties_bias_and_bans()
    {
        float[] logits = [5, 4, 3, 2, 1];
        Assert.Equal(1, Greedy(logits, new SamplingParameters { Temperature = 0 }, [], 0, [0]));
        Assert.Equal(2, Greedy(logits, new SamplingParameters { Temperature = 0, RepetitionPenalty = 2 }, [0, 1], 1, []));
        Assert.Equal(0, Greedy(logits, new SamplingParameters { Temperature = 0, PresencePenalty = 2 }, [0, 0], 2, []));
        Assert.Equal(1, Greedy(logits, new SamplingParameters { Temperature = 0, FrequencyPenalty = 1 }, [0, 0], 0, []));
        Assert.Equal(4, Greedy(logits, new SamplingParameters { Temperature = 0, LogitBias = new Dictionary<int, float> { [4] = 4.5f } }, [], 0, []));
    }

    [Fact]
    public void Logprobs_are_those_of_the_raw_logits()
    {
        float[] logits = Logits(1500, seed: 8, spread: 3);
        double logSumExp = Math.Log(logits.Sum(value => Math.Exp(value)));
        int[] best = [.. Enumerable.Range(0, logits.Length).OrderByDescending(token => logits[token]).ThenBy(token => token).Take(20)];
        var parameters = new SamplingParameters { Logprobs = 20, Temperature = 0.5f, TopK = 3, LogitBias = new Dictionary<int, float> { [700] = 90 } };
        using var sampler = new HostSampler();
        SampleRow row = Row(parameters, [], 0, []);
        StepOutput output = Output(row);
        float[] before = [.. logits];
        sampler.Sample(row, logits, 0, output);
        Assert.Equal(before, logits);
        Assert.Equal(700, output.TokenIds[0]);
        Assert.Equal(logits[700] - logSumExp, output.Logprobs[0], 1e-4);
        Assert.Equal(best, output.TopIds[..20]);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(logits[best[i]] - logSumExp, output.TopLogprobs[i], 1e-4);
        }
    }

    [Fact]
    public void Rows_keep_their_own_alternatives()
    {
        float[] logits = [1, 3, 2, 0];
        SampleRow one = Row(new SamplingParameters { Temperature = 0, Logprobs = 1 }, [], 0, []);
        SampleRow three = Row(new SamplingParameters { Temperature = 0, Logprobs = 3 }, [], 0, []);
        SampleRow none = Row(new SamplingParameters { Temperature = 0 }, [], 0, []);
        StepOutput output = Output(one, three, none);
        using var sampler = new HostSampler();
        sampler.Sample(three, logits, 1, output);
        sampler.Sample(none, logits, 2, output);
        sampler.Sample(one, logits, 0, output);
        Assert.Equal(3, output.TopCount);
        Assert.Equal(1, output.TopIds[0]);
        Assert.Equal([1, 2, 0], output.TopIds[3..6]);
        Assert.True(float.IsNaN(output.Logprobs[2]));
        Assert.False(float.IsNaN(output.Logprobs[0]));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void Logits_that_are_not_finite_are_reported(float bad)
    {
        foreach (int vocabulary in new[] { 5, 64, 101 })
        {
            for (int place = 0; place < vocabulary; place += 4)
            {
                float[] logits = new float[vocabulary];
                logits[place] = bad;
                SampleRow row = Row(new SamplingParameters { TopP = 0.9f }, [], 0, []);
                StepOutput output = Output(row);
                using var sampler = new HostSampler();
                sampler.Sample(row, logits, 0, output);
                Assert.True(output.NotFinite[0]);
                sampler.Sample(row, new float[vocabulary], 0, output);
                Assert.False(output.NotFinite[0]);
            }
        }
    }

    [Fact]
    public void The_choice_depends_on_seed_and_position_alone()
    {
        float[] logits = Logits(400, seed: 1, spread: 1);
        var parameters = new SamplingParameters();
        int[] first = Draw(logits, parameters, 200, seed: 5);
        Assert.Equal(first, Draw(logits, parameters, 200, seed: 5));
        Assert.NotEqual(first, Draw(logits, parameters, 200, seed: 6));
        int[] parallel = new int[200];
        using var sampler = new HostSampler();
        Parallel.For(0, 200, position =>
        {
            SampleRow row = Row(parameters, [], 0, []);
            row.Seed = 5;
            row.OutputPosition = position;
            StepOutput output = Output(row);
            sampler.Sample(row, logits, 0, output);
            parallel[position] = output.TokenIds[0];
        });
        Assert.Equal(first, parallel);
    }

    [Fact]
    public void Nothing_is_allocated_once_warm()
    {
        float[] logits = Logits(5000, seed: 3, spread: 3);
        var parameters = new SamplingParameters
        {
            TopK = 100,
            TopP = 0.9f,
            MinP = 0.01f,
            RepetitionPenalty = 1.1f,
            FrequencyPenalty = 0.1f,
            Logprobs = 5,
            LogitBias = new Dictionary<int, float> { [3] = 1 },
        };
        SampleRow row = Row(parameters, [5, 6, 7], 1, [0]);
        StepOutput output = Output(row);
        using var sampler = new HostSampler();
        for (int i = 0; i < 50; i++)
        {
            // The bucket of the cut differs from draw to draw, so its buffer must have grown to the largest.
            logits[i] += 0.1f;
            sampler.Sample(row, logits, 0, output);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            row.OutputPosition = i;
            sampler.Sample(row, logits, 0, output);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void AssertFits(string name, double[] expected, int[] counts)
    {
        double draws = counts.Sum();
        double chiSquare = 0;
        int freedom = -1;
        double restExpected = 0;
        double restCount = 0;
        for (int token = 0; token < expected.Length; token++)
        {
            Assert.True(expected[token] > 0 || counts[token] == 0, $"{name}: token {token} has no probability but was drawn {counts[token]} times");
            double mean = expected[token] * draws;
            if (mean < 8)
            {
                restExpected += mean;
                restCount += counts[token];
                continue;
            }

            chiSquare += (counts[token] - mean) * (counts[token] - mean) / mean;
            freedom++;
        }

        if (restExpected >= 8)
        {
            chiSquare += (restCount - restExpected) * (restCount - restExpected) / restExpected;
            freedom++;
        }

        // Wilson and Hilferty's approximation of the quantile at 4.5 standard deviations.
        double quantile = freedom == 0 ? 1e-9 : freedom * Math.Pow(1 - (2.0 / (9 * freedom)) + (4.5 * Math.Sqrt(2.0 / (9 * freedom))), 3);
        Assert.True(chiSquare <= quantile, $"{name}: chi-square {chiSquare} above {quantile} with {freedom} degrees of freedom");
    }

    private static float[] Logits(int vocabulary, int seed, float spread)
    {
        var random = new Random(seed);
        float[] logits = new float[vocabulary];
        for (int i = 0; i < vocabulary; i++)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            logits[i] = (float)(normal * spread);
        }

        return logits;
    }

    private static int[] Draw(float[] logits, SamplingParameters parameters, int count, ulong seed = 1)
    {
        using var sampler = new HostSampler();
        SampleRow row = Row(parameters, [], 0, []);
        row.Seed = seed;
        StepOutput output = Output(row);
        int[] tokens = new int[count];
        for (int i = 0; i < count; i++)
        {
            row.OutputPosition = i;
            sampler.Sample(row, logits, 0, output);
            tokens[i] = output.TokenIds[0];
        }

        return tokens;
    }

    private static int Greedy(float[] logits, SamplingParameters parameters, int[] history, int promptTokens, int[] banned)
    {
        using var sampler = new HostSampler();
        SampleRow row = Row(parameters, history, promptTokens, banned);
        StepOutput output = Output(row);
        sampler.Sample(row, logits, 0, output);
        return output.TokenIds[0];
    }

    private static SampleRow Row(SamplingParameters parameters, int[] history, int promptTokens, int[] banned) =>
        new() { Parameters = parameters, History = history, PromptTokens = promptTokens, BannedTokens = banned };

    private static StepOutput Output(params SampleRow[] rows)
    {
        var batch = new Batch(1, 1, 1);
        batch.SampleRows.AddRange(rows);
        var output = new StepOutput();
        output.Prepare(batch);
        return output;
    }
}
