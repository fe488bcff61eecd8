using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>Greedy tokens of reference models through the whole engine: loaded from the folder, scheduled, cached and preempted.</summary>
public sealed class EngineGoldenTests
{
    public static TheoryData<string> Cases => [.. GoldenFolder.Models.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public Task As_loaded(string name) => CheckAsync(name, new EngineOptions(), kvTokens: 4096, rounds: 2);

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task In_chunks(string name)
    {
        foreach (int chunk in new[] { 1, 7, 16 })
        {
            await CheckAsync(name, new EngineOptions { MaxPromptChunkTokens = chunk, MaxStepTokens = 24, EnablePrefixCache = false }, kvTokens: 4096, rounds: 1);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task With_too_few_blocks_for_all(string name)
    {
        foreach (bool prefixCache in new[] { false, true })
        {
            EngineStatistics statistics = await CheckAsync(
                name, new EngineOptions { BlockSize = 4, MaxStepTokens = 40, EnablePrefixCache = prefixCache }, kvTokens: 180, rounds: 3);
            Assert.True(statistics.Preemptions > 0, "no sequence was preempted, so nothing was proven");
            Assert.True(statistics.CopiedBlocks > 0, "no block was copied on write");
            // Blocks of a dynamic model serve one length only, and so few are there that they may all be gone when that comes again.
            bool isDynamic = ModelConfig.Load(Path.Combine(GoldenFolder.Models[name], "config.json")).Rope.Type == RopeType.Dynamic;
            Assert.True(statistics.CachedTokens > 0 == prefixCache || (isDynamic && prefixCache), $"{statistics.CachedTokens} tokens were found in the prefix cache");
        }
    }

    private static async Task<EngineStatistics> CheckAsync(string name, EngineOptions options, int kvTokens, int rounds)
    {
        string folder = GoldenFolder.Models[name];
        if (ModelGoldenTests.WhyUnsupported(folder) is { } reason)
        {
            Assert.Skip($"{name} is not supported yet: {reason}");
        }

        using var golden = new GoldenCase(name, folder);
        long kvBytes = await KvBytesAsync(folder, options.BlockSize ?? 16, kvTokens);
        await using LlmEngine engine = await LlmEngine.LoadAsync(folder, options with { Device = "cpu", KvCacheType = KvCacheType.Fp32, KvCacheBytes = kvBytes, MaxContextTokens = kvTokens });
        var sampling = new SamplingParameters { Temperature = 0, MaxTokens = golden.GeneratedPerPrompt, IgnoreEos = true, Logprobs = 0 };
        IEnumerable<EngineRequest> requests = Enumerable.Range(0, rounds * golden.Prompts.Count)
            .Select(i => new EngineRequest { TokenIds = golden.Prompts[i % golden.Prompts.Count], Sampling = sampling, N = 1 + (i % 2) });
        int completions = 0;
        await foreach (Completion completion in engine.GenerateAsync(requests))
        {
            completions++;
            Assert.Null(completion.Error);
            int first = completion.RequestIndex % golden.Prompts.Count * golden.GeneratedPerPrompt;
            foreach (CompletionChoice choice in completion.Choices)
            {
                Assert.Equal(EngineFinishReason.Length, choice.FinishReason);
                Assert.Equal(golden.Tokens[first..(first + golden.GeneratedPerPrompt)], choice.TokenIds);
                for (int i = 0; i < choice.TokenIds.Count; i++)
                {
                    Assert.Equal(golden.Logprobs[first + i], choice.Logprobs![i].Logprob, 1e-3);
                }
            }
        }

        Assert.Equal(rounds * golden.Prompts.Count, completions);
        await WaitUntilFree(engine);
        return engine.Statistics;
    }

    private static async Task<long> KvBytesAsync(string folder, int blockSize, int tokens)
    {
        const long ProbeBytes = 16 << 20;
        await using LlmEngine engine = await LlmEngine.LoadAsync(folder, new EngineOptions { Device = "cpu", KvCacheType = KvCacheType.Fp32, BlockSize = blockSize, KvCacheBytes = ProbeBytes });
        return ProbeBytes / engine.Statistics.TotalBlocks * (tokens / blockSize);
    }

    private static async Task WaitUntilFree(LlmEngine engine)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (engine.Statistics is not { RunningSequences: 0, WaitingSequences: 0 } || engine.Statistics.FreeBlocks != engine.Statistics.TotalBlocks)
        {
            await Task.Delay(5, limit.Token);
        }
    }
}
