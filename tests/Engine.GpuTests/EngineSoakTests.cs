using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.GoldenTests.Models;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.GpuTests;

/// <summary>The whole engine on the device: many requests that come and go, and the same answers alone and in company.</summary>
public sealed class EngineSoakTests(ITestOutputHelper output)
{
    private const int Steps = 10_000;
    private const int MaxRunning = 48;

    [Fact]
    public async Task Ten_thousand_steps_with_arrivals_and_aborts_leak_nothing()
    {
        Gpu.Require();
        await using LlmEngine engine = await LlmEngine.LoadAsync(Model(), Options(kvBytes: 64 << 20));
        // A batch size is recorded as a graph when it first comes, which takes device memory: all of them come first.
        for (int count = 1; count <= MaxRunning; count++)
        {
            await Task.WhenAll(Enumerable.Range(0, count).Select(i => Tokens(engine, Request(i, 5, 8, 0))));
        }

        Random random = new(1);
        await ComeAndGo(engine, random, Steps / 5);
        long freeBefore = DeviceFree(), managedBefore = GC.GetTotalMemory(forceFullCollection: true);
        EngineStatistics end = await ComeAndGo(engine, random, Steps);
        output.WriteLine($"{end.Steps} steps, {end.GeneratedTokens} tokens, {end.Preemptions} preemptions, gap {end.DeviceGapMs / (end.DeviceGapMs + end.DeviceBusyMs):P2}");
        Assert.Equal(0, end.FailedSteps);
        Assert.Equal(end.TotalBlocks, end.FreeBlocks);
        Assert.InRange(freeBefore - DeviceFree(), long.MinValue, 8 << 20);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - managedBefore, long.MinValue, 32 << 20);
    }

    [Fact]
    public async Task Alone_and_among_many_the_same_prefix_gives_the_same_distribution()
    {
        // Products choose their algorithm by the number of rows, so the last bits differ and a close call may fall the other way. Where two
        // texts part, both have still seen the same tokens: the most likely token must have the same probability there, up to rounding.
        const double Tolerance = 0.1;
        Gpu.Require();
        await using LlmEngine engine = await LlmEngine.LoadAsync(Model(), Options(kvBytes: 256 << 20));
        EngineRequest[] requests = [.. Enumerable.Range(0, 48).Select(i => Request(i, 20 + (i * 7), 60, i % 2 == 0 ? 0 : 0.8f)).Select(r => r with { Sampling = r.Sampling with { Logprobs = 1 } })];
        List<TokenLogprobs[]> alone = [];
        foreach (EngineRequest request in requests)
        {
            alone.Add(await Tokens(engine, request));
        }

        TokenLogprobs[][] together = await Task.WhenAll(requests.Select(r => Tokens(engine, r)));
        double worst = 0;
        int same = 0;
        for (int i = 0; i < requests.Length; i++)
        {
            Assert.Equal(60, alone[i].Length);
            Assert.Equal(60, together[i].Length);
            int parted = 0;
            while (parted < 60 && alone[i][parted].TokenId == together[i][parted].TokenId)
            {
                parted++;
            }

            same += parted == 60 ? 1 : 0;
            for (int t = 0; t <= Math.Min(parted, 59); t++)
            {
                worst = Math.Max(worst, Math.Abs(alone[i][t].Top[0].Logprob - together[i][t].Top[0].Logprob));
            }
        }

        output.WriteLine($"{same} of {requests.Length} alike to the end, log probabilities within {worst:E1}");
        Assert.InRange(worst, 0, Tolerance);
    }

    /// <summary>Keeps 64 requests coming and going until the engine has made so many steps and all are gone.</summary>
    private static async Task<EngineStatistics> ComeAndGo(LlmEngine engine, Random random, int steps)
    {
        List<Task> running = [];
        while (engine.Statistics.Steps < steps)
        {
            running.RemoveAll(t => t.IsCompletedSuccessfully);
            while (running.Count < 64)
            {
                running.Add(RunOne(engine, random.Next(), random.Next(1, 400), random.Next(1, 200)));
            }

            await Task.WhenAny(running);
        }

        await Task.WhenAll(running);
        EngineStatistics end = engine.Statistics;
        for (int i = 0; i < 100 && end.RunningSequences + end.WaitingSequences > 0; i++)
        {
            await Task.Delay(20);
            end = engine.Statistics;
        }

        return end;
    }

    private static async Task RunOne(LlmEngine engine, int seed, int prompt, int tokens)
    {
        using CancellationTokenSource abort = new();
        int after = seed % 3 == 0 ? seed % 50 : int.MaxValue, seen = 0;
        try
        {
            await foreach (EngineDelta delta in engine.StreamAsync(Request(seed, prompt, tokens, seed % 2 == 0 ? 0 : 0.9f) with { N = seed % 5 == 0 ? 3 : 1 }, abort.Token))
            {
                Assert.NotEqual(EngineFinishReason.Error, delta.FinishReason);
                seen += delta.TokenIds.Count;
                if (seen > after)
                {
                    abort.Cancel();
                }
            }
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            // Aborted as planned.
        }
    }

    private static async Task<TokenLogprobs[]> Tokens(LlmEngine engine, EngineRequest request)
    {
        List<TokenLogprobs> tokens = [];
        await foreach (EngineDelta delta in engine.StreamAsync(request))
        {
            tokens.AddRange(delta.Logprobs ?? []);
        }

        return [.. tokens];
    }

    private static EngineRequest Request(int seed, int prompt, int tokens, float temperature)
    {
        Random random = new(seed);
        return new EngineRequest
        {
            TokenIds = [.. Enumerable.Range(0, prompt).Select(_ => random.Next(4, 300))],
            Sampling = new SamplingParameters
            {
                Temperature = temperature,
                TopP = 0.95f,
                Seed = (ulong)seed,
                MaxTokens = tokens,
                IgnoreEos = true,
                PresencePenalty = seed % 4 == 1 ? 0.5f : 0,
                Logprobs = seed % 6 == 2 ? 3 : null,
            },
        };
    }

    private static EngineOptions Options(long kvBytes) => new() { Device = "cuda", KvCacheBytes = kvBytes, MaxRunningSequences = MaxRunning, MaxStepTokens = 1024, MaxContextTokens = 640, GpuType = "fp16" };

    private static string Model() => GoldenFolder.Models.First(m => m.Key.Contains("llama", StringComparison.Ordinal)).Value;

    private static long DeviceFree()
    {
        using CudaDevice device = CudaDevice.Open(0);
        return device.Memory().Free;
    }
}
