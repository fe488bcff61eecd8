using Fastgen.Engine.Sampling;
using Fastgen.Engine.UnitTests.Doubles;

namespace Fastgen.Engine.UnitTests;

public sealed class EngineLoopTests
{
    private const int Vocabulary = 101;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Streams_give_the_reference_tokens_whatever_runs_beside_them(int depth)
    {
        await using LlmEngine engine = Engine(new KvDoubleRunner(4, 60, Vocabulary, depth));
        Task<List<int>[]>[] streams = [.. Enumerable.Range(0, 40).Select(i => Collect(engine, Request(i)))];
        List<int>[][] results = await Task.WhenAll(streams).WaitAsync(Limit);
        for (int i = 0; i < results.Length; i++)
        {
            AssertReference(engine, Request(i), results[i]);
        }

        await AssertIdle(engine);
    }

    [Fact]
    public async Task Batches_come_back_whole_and_pull_lazily()
    {
        await using LlmEngine engine = Engine(new KvDoubleRunner(4, 60, Vocabulary, 2), new EngineOptions { MaxRunningSequences = 4, MaxWaitingRequests = 1 });
        int pulled = 0;
        int taken = 0;
        int most = 0;
        IEnumerable<EngineRequest> Source()
        {
            for (int i = 0; i < 300; i++)
            {
                most = Math.Max(most, ++pulled - taken);
                yield return Request(i);
            }
        }

        var seen = new HashSet<int>();
        await foreach (Completion completion in engine.GenerateAsync(Source()))
        {
            taken++;
            Assert.Null(completion.Error);
            Assert.True(seen.Add(completion.RequestIndex));
            AssertReference(engine, Request(completion.RequestIndex), [.. completion.Choices.Select(choice => choice.TokenIds.ToList())]);
            Assert.Equal(completion.Choices.Sum(choice => choice.TokenIds.Count), completion.CompletionTokens);
        }

        Assert.Equal(300, seen.Count);
        Assert.InRange(most, 2, 9);
        await AssertIdle(engine);
    }

    [Fact]
    public async Task A_wrong_request_of_a_batch_ends_alone()
    {
        await using LlmEngine engine = Engine(new KvDoubleRunner(4, 60, Vocabulary, 1));
        EngineRequest[] requests = [Request(0), new EngineRequest { TokenIds = [Vocabulary] }, Request(2)];
        var completions = new List<Completion>();
        await foreach (Completion completion in engine.GenerateAsync(requests))
        {
            completions.Add(completion);
        }

        Assert.Equal(3, completions.Count);
        Completion wrong = Assert.Single(completions, completion => completion.Error is not null);
        Assert.Equal(1, wrong.RequestIndex);
        Assert.Contains($"{Vocabulary}", wrong.Error!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Leaving_a_stream_frees_its_blocks()
    {
        await using LlmEngine engine = Engine(new KvDoubleRunner(4, 60, Vocabulary, 2) { OnSubmit = _ => Thread.Sleep(1) });
        for (int i = 0; i < 30; i++)
        {
            await foreach (EngineDelta delta in engine.StreamAsync(Request(i)))
            {
                break;
            }
        }

        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (EngineDelta delta in engine.StreamAsync(Endless(3), cancel.Token))
            {
                await cancel.CancelAsync();
            }
        });
        await AssertIdle(engine);
    }

    [Fact]
    public async Task Leaving_a_batch_frees_its_blocks()
    {
        await using LlmEngine engine = Engine(new KvDoubleRunner(4, 60, Vocabulary, 2));
        await foreach (Completion completion in engine.GenerateAsync(Enumerable.Range(0, 100).Select(Request)))
        {
            if (completion.RequestIndex > 5)
            {
                break;
            }
        }

        await AssertIdle(engine);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public async Task A_failed_step_fails_its_requests_only(int depth, bool atCollect)
    {
        var runner = new KvDoubleRunner(4, 60, Vocabulary, depth);
        await using LlmEngine engine = Engine(runner);
        int calls = 0;
        void FailOnce()
        {
            if (Interlocked.Increment(ref calls) == 5)
            {
                throw new InvalidOperationException("the double broke");
            }
        }

        runner.OnSubmit = atCollect ? null : _ => FailOnce();
        runner.OnCollect = atCollect ? FailOnce : null;
        EngineDelta last = await Last(engine, Endless(1));
        Assert.Equal(EngineFinishReason.Error, last.FinishReason);
        Assert.Contains("the double broke", last.Error!, StringComparison.Ordinal);
        AssertReference(engine, Request(2), await Collect(engine, Request(2)).WaitAsync(Limit));
        Assert.Equal(1, engine.Statistics.FailedSteps);
        Assert.False(engine.Statistics.IsFaulted);
        await AssertIdle(engine);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Steps_that_keep_failing_fault_the_engine(int depth)
    {
        var runner = new KvDoubleRunner(4, 60, Vocabulary, depth) { OnSubmit = _ => throw new InvalidOperationException("dead") };
        await using LlmEngine engine = Engine(runner);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(EngineFinishReason.Error, (await Last(engine, Request(i))).FinishReason);
        }

        await Eventually(() => engine.Statistics.IsFaulted);
        EngineFaultedException fault = await Assert.ThrowsAsync<EngineFaultedException>(() => Last(engine, Request(4)));
        Assert.Contains("dead", fault.Message, StringComparison.Ordinal);
        await AssertIdle(engine);
    }

    [Fact]
    public async Task Logits_that_are_not_finite_end_the_sequence_with_an_error()
    {
        var runner = new KvDoubleRunner(4, 60, Vocabulary, 2) { IsNotFinite = row => row.Seed == 9 && row.OutputPosition == 3 };
        await using LlmEngine engine = Engine(runner);
        Task<EngineDelta> bad = Last(engine, Endless(9));
        Task<List<int>[]> good = Collect(engine, Request(1));
        EngineDelta delta = await bad;
        Assert.Equal(EngineFinishReason.Error, delta.FinishReason);
        Assert.Equal(3, delta.CompletionTokens);
        Assert.Contains("not finite", delta.Error!, StringComparison.Ordinal);
        AssertReference(engine, Request(1), await good);
        await AssertIdle(engine);
    }

    [Fact]
    public async Task A_full_queue_refuses_with_an_overload()
    {
        using var gate = new ManualResetEventSlim();
        var runner = new KvDoubleRunner(4, 60, Vocabulary, 1) { OnSubmit = _ => gate.Wait(Limit) };
        await using LlmEngine engine = Engine(runner, new EngineOptions { MaxRunningSequences = 1, MaxWaitingRequests = 2 });
        var started = new List<Task<EngineDelta>> { Last(engine, Endless(0)) };
        await Eventually(() => started.Count < 3 && TryStart());
        EngineOverloadedException refused = await Assert.ThrowsAsync<EngineOverloadedException>(() => Last(engine, Endless(9)));
        Assert.Contains("MaxWaitingRequests", refused.Message, StringComparison.Ordinal);
        gate.Set();
        await Task.WhenAll(started).WaitAsync(Limit);
        await AssertIdle(engine);

        bool TryStart()
        {
            Task<EngineDelta> next = Last(engine, Endless((ulong)started.Count));
            if (next.IsFaulted)
            {
                return false;
            }

            started.Add(next);
            return started.Count == 3;
        }
    }

    [Fact]
    public async Task Disposing_cancels_what_runs_and_refuses_what_comes()
    {
        var runner = new KvDoubleRunner(4, 60, Vocabulary, 2);
        LlmEngine engine = Engine(runner);
        Task<EngineDelta>[] running = [.. Enumerable.Range(0, 10).Select(i => Last(engine, Endless((ulong)i)))];
        await Eventually(() => engine.Statistics.GeneratedTokens > 0);
        await engine.DisposeAsync();
        foreach (EngineDelta delta in await Task.WhenAll(running).WaitAsync(Limit))
        {
            Assert.True(delta.FinishReason is EngineFinishReason.Cancelled or EngineFinishReason.Length);
        }

        Assert.True(runner.IsDisposed);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => Last(engine, Request(0)));
        Assert.Equal(engine.Statistics.TotalBlocks, engine.Statistics.FreeBlocks);
        await engine.DisposeAsync();
    }

    [Fact]
    public async Task An_idle_engine_uses_no_processor_time()
    {
        await using LlmEngine engine = Engine(new KvDoubleRunner(4, 60, Vocabulary, 2));
        await Collect(engine, Request(1));
        await AssertIdle(engine);
        long steps = engine.Statistics.Steps;
        await Task.Delay(200);
        Assert.Equal(steps, engine.Statistics.Steps);
        await Eventually(() => engine.LoopThreadState == (ThreadState.Background | ThreadState.WaitSleepJoin));
    }

    [Fact]
    public async Task Tokens_wait_for_a_slow_reader_and_come_together()
    {
        await using LlmEngine engine = Engine(new KvDoubleRunner(4, 60, Vocabulary, 1) { OnSubmit = _ => Thread.Sleep(1) });
        int deltas = 0;
        int tokens = 0;
        await foreach (EngineDelta delta in engine.StreamAsync(Endless(4) with { Sampling = new SamplingParameters { IgnoreEos = true, MaxTokens = 70 } }))
        {
            deltas++;
            tokens += delta.TokenIds.Count;
            await Eventually(() => engine.Statistics.GeneratedTokens == 70);
            await AssertIdle(engine);
        }

        // What was there at the first look, and all the rest.
        Assert.Equal(70, tokens);
        Assert.InRange(deltas, 1, 2);
    }

    [Fact]
    public async Task Prompts_that_begin_alike_are_cached_and_counted()
    {
        var runner = new KvDoubleRunner(4, 60, Vocabulary, 1);
        await using LlmEngine engine = Engine(runner);
        int[] prompt = [.. Enumerable.Range(1, 21)];
        EngineRequest request = new() { TokenIds = prompt, Sampling = new SamplingParameters { MaxTokens = 3, Seed = 1, IgnoreEos = true } };
        EngineDelta first = await Last(engine, request);
        long computed = engine.Statistics.ComputedTokens;
        EngineDelta second = await Last(engine, request);
        Assert.Equal(0, first.CachedTokens);
        Assert.Equal(20, second.CachedTokens);
        Assert.Equal(computed + 3, engine.Statistics.ComputedTokens);
        Assert.Equal((21, 3), (second.PromptTokens, second.CompletionTokens));
    }

    [Fact]
    public async Task Wrong_requests_are_refused_before_they_run()
    {
        await using LlmEngine engine = Engine(new KvDoubleRunner(4, 60, Vocabulary, 1));
        (EngineRequest Request, string Says)[] cases =
        [
            (new EngineRequest(), "exactly one"),
            (new EngineRequest { TokenIds = [1], Text = "a" }, "exactly one"),
            (new EngineRequest { TokenIds = [] }, "no tokens"),
            (new EngineRequest { TokenIds = [-1] }, "-1"),
            (new EngineRequest { TokenIds = new int[80] }, "80 tokens"),
            (new EngineRequest { TokenIds = [1], N = 0 }, "N is 0"),
            (new EngineRequest { TokenIds = [1], N = 100_000 }, "100000"),
            (new EngineRequest { TokenIds = [1], Sampling = new SamplingParameters { Temperature = float.NaN } }, "Temperature is NaN"),
            (new EngineRequest { TokenIds = [1], Sampling = new SamplingParameters { StopTokenIds = [Vocabulary] } }, "StopTokenIds"),
        ];
        foreach ((EngineRequest request, string says) in cases)
        {
            EngineRequestException refused = await Assert.ThrowsAsync<EngineRequestException>(() => Last(engine, request));
            Assert.Contains(says, refused.Message, StringComparison.Ordinal);
            Assert.NotNull(refused.Parameter);
        }
    }

    private static LlmEngine Engine(KvDoubleRunner runner, EngineOptions? options = null) =>
        LlmEngine.Create(runner, 80, new GenerationDefaults { EndOfSequenceIds = [0] }, options ?? new EngineOptions { MaxStepTokens = 32, MaxRunningSequences = 8 });

    private static EngineRequest Request(int i)
    {
        var random = new Random(i);
        int[] prompt = [.. Enumerable.Range(0, random.Next(1, 50)).Select(_ => random.Next(Vocabulary))];
        return new EngineRequest
        {
            TokenIds = prompt,
            N = i % 5 == 0 ? 3 : 1,
            Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = random.Next(1, 30) },
        };
    }

    private static EngineRequest Endless(ulong seed) =>
        new() { TokenIds = [1, 2, 3], Sampling = new SamplingParameters { Seed = seed, IgnoreEos = true } };

    private static void AssertReference(LlmEngine engine, EngineRequest request, List<int>[] tokens)
    {
        Assert.Equal(request.N, tokens.Length);
        for (int choice = 0; choice < request.N; choice++)
        {
            ulong seed = Fastgen.Engine.Scheduling.ScheduledRequest.ChoiceSeed(request.Sampling.Seed!.Value, choice);
            Assert.Equal(HashModel.Reference([.. request.TokenIds!], seed, request.Sampling, [0], engine.MaxContextTokens, Vocabulary).Tokens, tokens[choice]);
        }
    }

    private static async Task<List<int>[]> Collect(LlmEngine engine, EngineRequest request)
    {
        List<int>[] tokens = [.. Enumerable.Range(0, request.N).Select(_ => new List<int>())];
        await foreach (EngineDelta delta in engine.StreamAsync(request))
        {
            tokens[delta.Index].AddRange(delta.TokenIds);
            Assert.Equal(tokens[delta.Index].Count, delta.CompletionTokens);
        }

        return tokens;
    }

    private static async Task<EngineDelta> Last(LlmEngine engine, EngineRequest request)
    {
        EngineDelta? last = null;
        await foreach (EngineDelta delta in engine.StreamAsync(request))
        {
            last = delta;
        }

        return last!;
    }

    private static async Task AssertIdle(LlmEngine engine) => await Eventually(() =>
        engine.Statistics is { RunningSequences: 0, WaitingSequences: 0 } statistics && statistics.FreeBlocks == statistics.TotalBlocks);

    private static async Task Eventually(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!condition())
        {
            await Task.Delay(5, limit.Token);
        }
    }
}
