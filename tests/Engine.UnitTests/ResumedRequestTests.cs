using Fastgen.Engine.Sampling;
using Fastgen.Engine.Text;
using Fastgen.Engine.UnitTests.Doubles;

namespace Fastgen.Engine.UnitTests;

/// <summary>A request that broke off elsewhere goes on as if nothing had happened.</summary>
public sealed class ResumedRequestTests
{
    private readonly Tokenizer _tokenizer = LetterTokenizer.Create();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    public async Task What_follows_equals_the_undisturbed_run_wherever_it_broke_off(int choices, int depth)
    {
        await using LlmEngine engine = Engine(depth);
        for (int seed = 0; seed < 12; seed++)
        {
            EngineRequest request = Request(choices, seed);
            List<EngineDelta>[] whole = await RunAsync(engine, request);
            int longest = whole.Max(deltas => deltas[^1].CompletionTokens);
            for (int cut = 0; cut < longest; cut++)
            {
                // What a caller has when it was told of so many tokens: choices that were shorter have ended.
                ResumedChoice[] had = [.. whole.Select(deltas => new ResumedChoice(
                    [.. Tokens(deltas).Take(cut)], deltas[^1].CompletionTokens <= cut))];
                List<EngineDelta>[] rest = await RunAsync(engine, request with { Resumed = had });
                for (int choice = 0; choice < choices; choice++)
                {
                    if (had[choice].HasEnded)
                    {
                        Assert.Empty(rest[choice]);
                        continue;
                    }

                    Assert.Equal(Tokens(whole[choice]).Skip(cut), Tokens(rest[choice]));
                    Assert.Equal(TextFrom(engine, request, whole[choice], cut), string.Concat(rest[choice].Select(delta => delta.Text)));
                    Assert.Equal(whole[choice][^1].FinishReason, rest[choice][^1].FinishReason);
                    Assert.Equal(whole[choice][^1].CompletionTokens, rest[choice][^1].CompletionTokens);
                    Assert.Equal(whole[choice][^1].PromptTokens, rest[choice][^1].PromptTokens);
                }
            }
        }

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (engine.Statistics.TotalBlocks != engine.Statistics.FreeBlocks)
        {
            await Task.Delay(5, limit.Token);
        }
    }

    [Fact]
    public async Task A_choice_whose_last_token_had_come_ends_at_once()
    {
        await using LlmEngine engine = Engine(1);
        EngineRequest request = Request(1, 5) with { Sampling = new SamplingParameters { MaxTokens = 4, IgnoreEos = true, Seed = 1 } };
        int[] all = [.. Tokens((await RunAsync(engine, request))[0])];
        long steps = engine.Statistics.Steps;
        EngineDelta only = Assert.Single((await RunAsync(engine, request with { Resumed = [new ResumedChoice(all, false)] }))[0]);
        Assert.Equal((EngineFinishReason.Length, 4, 0), (only.FinishReason, only.CompletionTokens, only.TokenIds.Count));

        request = request with { Sampling = request.Sampling with { StopTokenIds = [all[1]] } };
        only = Assert.Single((await RunAsync(engine, request with { Resumed = [new ResumedChoice(all[..2], false)] }))[0]);
        Assert.Equal((EngineFinishReason.Stop, 2), (only.FinishReason, only.CompletionTokens));
        Assert.Equal(steps, engine.Statistics.Steps);
    }

    [Fact]
    public async Task What_cannot_be_resumed_is_refused_by_name()
    {
        await using LlmEngine engine = Engine(1);
        EngineRequest request = Request(2, 1);
        await RefusedAsync("has 1 resumed choices but generates 2", new ResumedChoice([], false));
        await RefusedAsync("31 tokens but may have 30", new ResumedChoice(new int[31], false), new ResumedChoice([], false));
        await RefusedAsync("token 100000 but", new ResumedChoice([100_000], false), new ResumedChoice([], false));
        await RefusedAsync("have ended", new ResumedChoice([], true), new ResumedChoice([], true));

        async Task RefusedAsync(string part, params ResumedChoice[] resumed)
        {
            EngineRequestException refused = await Assert.ThrowsAsync<EngineRequestException>(() => RunAsync(engine, request with { Resumed = resumed }));
            Assert.Contains(part, refused.Message, StringComparison.Ordinal);
            Assert.Equal(nameof(EngineRequest.Resumed), refused.Parameter);
        }
    }

    [Fact]
    public async Task A_feed_tells_of_all_requests_and_of_what_is_urgent()
    {
        await using LlmEngine engine = Engine(2);
        using var news = new SemaphoreSlim(0);
        int urgent = 0;
        using EngineFeed feed = engine.OpenFeed(isUrgent =>
        {
            Interlocked.Add(ref urgent, isUrgent ? 1 : 0);
            news.Release();
        });
        var texts = new string[20];
        var reference = new string[20];
        for (int i = 0; i < texts.Length; i++)
        {
            texts[i] = "";
            reference[i] = string.Concat((await RunAsync(engine, Request(1, i)))[0].Select(delta => delta.Text));
        }

        for (int i = 0; i < texts.Length; i++)
        {
            engine.Start(Request(1, i), feed, i);
        }

        int open = texts.Length;
        var runs = new List<EngineRun>();
        while (open > 0)
        {
            Assert.True(await news.WaitAsync(TimeSpan.FromSeconds(60)), $"{open} requests are open and nothing is told.");
            feed.Take(runs, urgentOnly: false);
            foreach (EngineRun run in runs)
            {
                if (run.Take(0) is { } delta)
                {
                    texts[(int)run.Tag!] += delta.Text;
                    open -= delta.FinishReason is null ? 0 : 1;
                }
            }

            runs.Clear();
        }

        Assert.Equal(reference, texts);
        Assert.True(urgent > 0);
    }

    [Fact]
    public async Task An_aborted_run_is_told_as_cancelled()
    {
        await using LlmEngine engine = Engine(1);
        using var news = new SemaphoreSlim(0);
        using EngineFeed feed = engine.OpenFeed(_ => news.Release());
        EngineRun run = engine.Start(Request(1, 1) with { Sampling = new SamplingParameters { MaxTokens = 100, IgnoreEos = true, MinTokens = 100 } }, feed);
        run.Abort();
        var runs = new List<EngineRun>();
        EngineFinishReason? reason = null;
        while (reason is null)
        {
            Assert.True(await news.WaitAsync(TimeSpan.FromSeconds(60)), "The end is not told.");
            // Ends are among what is urgent.
            feed.Take(runs, urgentOnly: true);
            foreach (EngineRun told in runs)
            {
                reason ??= told.Take(0)?.FinishReason;
            }

            runs.Clear();
        }

        Assert.True(reason is EngineFinishReason.Cancelled or EngineFinishReason.Length, $"{reason}");
    }

    private static EngineRequest Request(int choices, int seed) => new()
    {
        Text = "abc d",
        N = choices,
        Sampling = new SamplingParameters { Seed = (ulong)seed, MaxTokens = 30, MinTokens = seed % 3, StopStrings = seed % 2 == 0 ? ["bd", "cccc", "ée", "a f"] : [] },
    };

    private static IEnumerable<int> Tokens(List<EngineDelta> deltas) => deltas.SelectMany(delta => delta.TokenIds);

    /// <summary>The text of the undisturbed run behind what a caller had after so many tokens, however they came.</summary>
    private string TextFrom(LlmEngine engine, EngineRequest request, List<EngineDelta> whole, int cut)
    {
        int[] prompt = engine.EncodePrompt(request);
        var had = new ChoiceText(
            _tokenizer, true, prompt.AsSpan(Math.Max(0, prompt.Length - 8)), request.Sampling.StopStrings, [LetterTokenizer.EndId], request.Sampling.MinTokens);
        string before = had.Append([.. Tokens(whole).Take(cut)], isLast: false);
        string all = string.Concat(whole.Select(delta => delta.Text));
        Assert.StartsWith(before, all, StringComparison.Ordinal);
        return all[before.Length..];
    }

    private LlmEngine Engine(int depth) => LlmEngine.Create(
        new KvDoubleRunner(4, 60, LetterTokenizer.VocabularySize, depth),
        120,
        new GenerationDefaults { EndOfSequenceIds = [LetterTokenizer.EndId] },
        new EngineOptions { MaxStepTokens = 16 },
        _tokenizer);

    private static async Task<List<EngineDelta>[]> RunAsync(LlmEngine engine, EngineRequest request)
    {
        List<EngineDelta>[] deltas = [.. Enumerable.Range(0, request.N).Select(_ => new List<EngineDelta>())];
        await foreach (EngineDelta delta in engine.StreamAsync(request))
        {
            deltas[delta.Index].Add(delta);
        }

        return deltas;
    }
}
