using System.Diagnostics;
using Fastgen.Engine;
using Fastgen.Engine.Sampling;

namespace Fastgen.Tools.FgBench.Loads;

/// <summary>Requests of one length to the engine in this process: random, distinct prompts, and the end of a sequence ignored.</summary>
/// <param name="Requests">How many.</param>
/// <param name="PromptTokens">Of each.</param>
/// <param name="DecodeTokens">To generate for each.</param>
/// <param name="Temperature">0 is greedy.</param>
/// <param name="TopP">1 turns it off.</param>
/// <param name="RatePerSecond">Poisson arrivals; null lets all arrive at once.</param>
/// <param name="Seed">Of prompts and arrivals.</param>
internal sealed record EngineLoad(int Requests, int PromptTokens, int DecodeTokens, float Temperature, float TopP, double? RatePerSecond, int Seed)
{
    /// <exception cref="InvalidOperationException">A request failed or did not give all its tokens.</exception>
    public async Task<LoadOutcome> RunAsync(LlmEngine engine, string? progressLabel, CancellationToken cancel)
    {
        EngineRequest[] requests = [.. Enumerable.Range(0, Requests).Select(i => Request(engine, i))];
        double[] arrivals = Arrivals.Milliseconds(Requests, RatePerSecond, Seed);
        var tokenTimes = new List<double>[Requests];
        EngineStatistics before = engine.Statistics;
        long start = Stopwatch.GetTimestamp();
        using (RunProgress.Start(progressLabel, (long)Requests * DecodeTokens, () => engine.Statistics.GeneratedTokens - before.GeneratedTokens))
        {
            await Task.WhenAll(requests.Select((request, i) => Task.Run(
                async () =>
                {
                    await Arrivals.WaitAsync(start, arrivals[i], cancel);
                    tokenTimes[i] = await TokenTimesAsync(engine, request, DecodeTokens, start, null, cancel);
                },
                cancel)));
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (tokenTimes.FirstOrDefault(times => times.Count != DecodeTokens) is { } wrong)
        {
            throw new InvalidOperationException($"A request gave {wrong.Count} tokens instead of {DecodeTokens}.");
        }

        return new LoadOutcome
        {
            Seconds = seconds,
            Load = this,
            Work = engine.Statistics.Since(before),
            AllFirstMs = [.. tokenTimes.Select((times, i) => times[0] - arrivals[i])],
            AllBetweenMs = [.. tokenTimes.SelectMany(Between)],
        };
    }

    /// <summary>Streams a request and notes when each of its tokens came.</summary>
    /// <param name="start">Times are milliseconds from here.</param>
    /// <param name="onToken">Hears of every delta, with its time.</param>
    public static async Task<List<double>> TokenTimesAsync(LlmEngine engine, EngineRequest request, int expected, long start, Action<double>? onToken, CancellationToken cancel)
    {
        var times = new List<double>(expected);
        await foreach (EngineDelta delta in engine.StreamAsync(request, cancel))
        {
            if (delta.FinishReason == EngineFinishReason.Error)
            {
                throw new InvalidOperationException(delta.Error);
            }

            double now = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            for (int k = 0; k < delta.TokenIds.Count; k++)
            {
                times.Add(now);
                onToken?.Invoke(now);
            }
        }

        return times;
    }

    /// <summary>Times between the tokens of one request.</summary>
    public static IEnumerable<double> Between(IReadOnlyList<double> times) => Enumerable.Range(1, Math.Max(0, times.Count - 1)).Select(i => times[i] - times[i - 1]);

    public static int[] RandomTokens(int count, int vocabulary, int seed)
    {
        var random = new Random(seed);
        var tokens = new int[count];
        for (int i = 0; i < count; i++)
        {
            tokens[i] = random.Next(vocabulary);
        }

        return tokens;
    }

    private EngineRequest Request(LlmEngine engine, int index) => new()
    {
        TokenIds = RandomTokens(PromptTokens, engine.Config!.VocabularySize, unchecked((Seed * 1_000_003) + (DecodeTokens * 8_191) + index)),
        Sampling = new SamplingParameters { Temperature = Temperature, TopP = TopP, MaxTokens = DecodeTokens, IgnoreEos = true, Seed = (ulong)index },
    };
}
