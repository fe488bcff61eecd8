using Fastgen.Engine.Sampling;
using Fastgen.Engine.Scheduling;
using Fastgen.Engine.UnitTests.Doubles;

namespace Fastgen.Engine.UnitTests.Scheduling;

public sealed class SchedulerTests
{
    private const int Vocabulary = 500;

    private static readonly SamplingParameters Endless = new() { IgnoreEos = true, Seed = 3 };

    [Fact]
    public void Decodes_go_on_while_a_long_prompt_is_computed_in_chunks()
    {
        var engine = new SteppedEngine(new KvDoubleRunner(4, 100, Vocabulary, 1), 300, stepTokens: 10);
        (_, RecordedOutput decoding) = engine.Add([1, 2, 3], Endless with { MaxTokens = 40 });
        engine.Turn();
        (_, RecordedOutput prompted) = engine.Add([.. Enumerable.Range(0, 90)], Endless with { MaxTokens = 5 });
        for (int turn = 0; turn < 10; turn++)
        {
            Assert.Empty(prompted.Tokens[0]);
            int before = decoding.Tokens[0].Count;
            engine.Turn();
            Assert.Equal(before + 1, decoding.Tokens[0].Count);
        }

        // 90 tokens at 9 a step beside the one decode.
        Assert.Single(prompted.Tokens[0]);
        Assert.Equal(10, engine.Runner.LargestStepTokens);
        engine.RunToEnd();
        engine.AssertAllFree();
    }

    [Theory]
    [InlineData(1, 100)]
    [InlineData(2, 100)]
    [InlineData(2, 22)]
    public void With_prompts_first_sequences_wait_for_prompts_and_get_the_same_tokens(int depth, int blocks)
    {
        var engine = new SteppedEngine(new KvDoubleRunner(4, blocks, Vocabulary, depth), 300, stepTokens: 10, promptsFirst: true);
        var plain = new SteppedEngine(new KvDoubleRunner(4, blocks, Vocabulary, 1), 300, stepTokens: 10);
        var outputs = new List<(RecordedOutput First, RecordedOutput Plain)>();
        void Add(int count, int start) => outputs.Add((
            engine.Add([.. Enumerable.Range(start, count)], Endless with { MaxTokens = 30 }).Output,
            plain.Add([.. Enumerable.Range(start, count)], Endless with { MaxTokens = 30 }).Output));
        Add(3, 1);
        for (int turn = 0; turn < 5; turn++)
        {
            engine.Turn();
        }

        Add(40, 100);
        while (engine.StepsInFlight > 0 && outputs[1].First.Tokens[0].Count == 0)
        {
            // Of the first, only what was on its way before.
            Assert.InRange(outputs[0].First.Tokens[0].Count, 4, 6);
            engine.Turn();
        }

        Add(25, 200);
        engine.RunToEnd();
        plain.RunToEnd();
        Assert.All(outputs, pair => Assert.Equal(pair.Plain.Tokens[0], pair.First.Tokens[0]));
        Assert.Equal(blocks < 100, engine.Scheduler.Counters.Preemptions > 0);
        engine.AssertAllFree();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(16)]
    public void Prompt_chunks_keep_to_their_limit(int chunk)
    {
        var engine = new SteppedEngine(new KvDoubleRunner(4, 100, Vocabulary, 1), 300, stepTokens: 64, chunkTokens: chunk);
        engine.Add([.. Enumerable.Range(0, 50)], Endless with { MaxTokens = 3 });
        int turns = engine.RunToEnd();
        Assert.Equal(((50 + chunk - 1) / chunk) + 2, turns);
        Assert.Equal(chunk, engine.Runner.LargestChunk);
        engine.AssertAllFree();
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public void A_sequence_that_crosses_into_another_regime_is_computed_anew(int depth, bool prefixCache)
    {
        var runner = new KvDoubleRunner(4, 100, Vocabulary, depth) { RegimeOf = length => length > 20 ? 1 : 0 };
        var engine = new SteppedEngine(runner, 300, prefixCache: prefixCache);
        (_, RecordedOutput output) = engine.Add([.. Enumerable.Range(0, 16)], Endless with { MaxTokens = 8 });
        engine.RunToEnd();
        var lone = new SteppedEngine(new KvDoubleRunner(4, 100, Vocabulary, 1), 300);
        (_, RecordedOutput expected) = lone.Add([.. Enumerable.Range(0, 16)], Endless with { MaxTokens = 8 });
        lone.RunToEnd();
        Assert.Equal(expected.Tokens[0], output.Tokens[0]);

        // The prompt and four tokens, then these with the fifth anew, then two more; the last is never computed.
        Assert.Equal(20 + 21 + 2, runner.TokensComputed);
        Assert.Equal(1, engine.Scheduler.Counters.Preemptions);
        engine.AssertAllFree();
    }

    [Fact]
    public void Blocks_of_one_regime_are_not_reused_in_another()
    {
        var runner = new KvDoubleRunner(4, 100, Vocabulary, 1) { RegimeOf = length => length > 20 ? 1 : 0 };
        var engine = new SteppedEngine(runner, 300);
        int[] prompt = [.. Enumerable.Range(0, 40)];
        foreach (int length in (int[])[16, 40, 16, 40])
        {
            engine.Add(prompt[..length], Endless with { MaxTokens = 1 });
            engine.RunToEnd();
        }

        // The second time each finds its own regime's blocks, all but the last.
        Assert.Equal(12 + 36, engine.Scheduler.Counters.CachedTokens);
        engine.AssertAllFree();
    }

    [Fact]
    public void Choices_share_the_prompt_and_copy_only_its_last_partial_block()
    {
        var runner = new KvDoubleRunner(8, 100, Vocabulary, 1);
        var engine = new SteppedEngine(runner, 300);
        engine.Add([.. Enumerable.Range(0, 30)], Endless with { MaxTokens = 2 }, choices: 4);
        engine.Turn();
        // Four blocks for the prompt, no matter how many choices.
        Assert.Equal(4, engine.Pool.Count - engine.Pool.FreeCount);
        engine.Turn();
        engine.RunToEnd();
        Assert.Equal(3, engine.Scheduler.Counters.CopiedBlocks);
        Assert.Equal(30 + 4, runner.TokensComputed);
        engine.AssertAllFree();
    }

    [Fact]
    public void A_prompt_that_ends_with_its_block_needs_no_copy()
    {
        var engine = new SteppedEngine(new KvDoubleRunner(8, 100, Vocabulary, 1), 300);
        engine.Add([.. Enumerable.Range(0, 32)], Endless with { MaxTokens = 3 }, choices: 4);
        engine.RunToEnd();
        Assert.Equal(0, engine.Scheduler.Counters.CopiedBlocks);
        engine.AssertAllFree();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_last_arrived_is_preempted_and_goes_on_as_if_nothing_had_been(int depth)
    {
        var engine = new SteppedEngine(new KvDoubleRunner(4, 20, Vocabulary, depth), 80, prefixCache: false);
        var outputs = new List<(int[] Prompt, RecordedOutput Output)>();
        for (int i = 0; i < 3; i++)
        {
            int[] prompt = [.. Enumerable.Range(i * 10, 9)];
            outputs.Add((prompt, engine.Add(prompt, Endless with { MaxTokens = 40 }).Output));
        }

        var finished = new List<int>();
        while (engine.Turn())
        {
            finished.AddRange(Enumerable.Range(0, 3).Where(i => outputs[i].Output.HasEnded && !finished.Contains(i)));
        }

        Assert.Equal([0, 1, 2], finished);
        Assert.True(engine.Scheduler.Counters.Preemptions > 0);
        foreach ((int[] prompt, RecordedOutput output) in outputs)
        {
            Assert.Equal(HashModel.Reference(prompt, 3, Endless with { MaxTokens = 40 }, [0], 80, Vocabulary).Tokens, output.Tokens[0]);
        }

        engine.AssertAllFree();
    }

    [Fact]
    public void A_lone_sequence_may_fill_every_block()
    {
        var engine = new SteppedEngine(new KvDoubleRunner(4, 5, Vocabulary, 2), 1000);
        (_, RecordedOutput output) = engine.Add([1, 2, 3], Endless);
        engine.RunToEnd();
        Assert.Equal(17, output.Tokens[0].Count);
        Assert.Equal(EngineFinishReason.Length, output.Reasons[0]);
        Assert.Equal(0, engine.Scheduler.Counters.Preemptions);
        engine.AssertAllFree();
    }

    [Fact]
    public void Lower_priority_numbers_run_first_and_are_preempted_last()
    {
        var engine = new SteppedEngine(new KvDoubleRunner(4, 100, Vocabulary, 1), 80, maxRunning: 1);
        var order = new List<string>();
        var outputs = new Dictionary<string, RecordedOutput>
        {
            ["first"] = engine.Add([1], Endless with { MaxTokens = 3 }).Output,
            ["late"] = engine.Add([2], Endless with { MaxTokens = 3 }, priority: 5).Output,
            ["normal"] = engine.Add([3], Endless with { MaxTokens = 3 }).Output,
            ["urgent"] = engine.Add([4], Endless with { MaxTokens = 3 }, priority: -1).Output,
        };
        while (engine.Turn())
        {
            order.AddRange(outputs.Where(pair => pair.Value.HasEnded && !order.Contains(pair.Key)).Select(pair => pair.Key));
        }

        Assert.Equal(["urgent", "first", "normal", "late"], order);
    }

    [Fact]
    public void A_large_request_is_not_overtaken_forever()
    {
        var engine = new SteppedEngine(new KvDoubleRunner(4, 20, Vocabulary, 1), 80, maxRunning: 4);
        for (int i = 0; i < 4; i++)
        {
            engine.Add([1, 2, 3, i], Endless with { MaxTokens = 20 });
        }

        engine.Turn();
        (_, RecordedOutput large) = engine.Add([.. Enumerable.Range(0, 70)], Endless with { MaxTokens = 2 });
        int turns = 0;
        while (!large.HasEnded)
        {
            engine.Add([9, 9, 9, turns], Endless with { MaxTokens = 20 });
            engine.Turn();
            Assert.True(++turns < 100);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Aborting_frees_blocks_at_every_stage(int depth)
    {
        for (int after = 0; after < 14; after++)
        {
            var engine = new SteppedEngine(new KvDoubleRunner(4, 30, Vocabulary, depth), 100, stepTokens: 8);
            (ScheduledRequest request, RecordedOutput output) = engine.Add([.. Enumerable.Range(0, 30)], Endless with { MaxTokens = 20 }, choices: 3);
            (_, RecordedOutput other) = engine.Add([5, 6], Endless with { MaxTokens = 20 });
            for (int i = 0; i < after; i++)
            {
                engine.Turn();
            }

            engine.Scheduler.Abort(request, EngineFinishReason.Cancelled, null);
            Assert.All(output.Reasons, reason => Assert.Equal(EngineFinishReason.Cancelled, reason));
            engine.RunToEnd();
            Assert.Equal(HashModel.Reference([5, 6], 3, Endless with { MaxTokens = 20 }, [0], 100, Vocabulary).Tokens, other.Tokens[0]);
            engine.AssertAllFree();
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Failed_steps_free_the_blocks_of_their_sequences(int depth)
    {
        for (int failAt = 1; failAt < 14; failAt++)
        {
            var runner = new KvDoubleRunner(4, 30, Vocabulary, depth);
            int steps = 0;
            runner.OnSubmit = _ =>
            {
                if (++steps == failAt)
                {
                    throw new InvalidOperationException("failed");
                }
            };
            var engine = new SteppedEngine(runner, 100, stepTokens: 8);
            (_, RecordedOutput output) = engine.Add([.. Enumerable.Range(0, 30)], Endless with { MaxTokens = 20 }, choices: 3);
            engine.RunToEnd();
            Assert.All(output.Reasons, reason => Assert.Equal(EngineFinishReason.Error, reason));
            Assert.All(output.Errors, error => Assert.Contains("failed", error, StringComparison.Ordinal));
            engine.AssertAllFree();
        }
    }

    [Fact]
    public void Blocks_of_a_sequence_without_finite_logits_are_not_reused()
    {
        var runner = new KvDoubleRunner(4, 30, Vocabulary, 1) { IsNotFinite = row => row.OutputPosition == 5 };
        var engine = new SteppedEngine(runner, 100);
        (_, RecordedOutput output) = engine.Add([.. Enumerable.Range(0, 16)], Endless);
        engine.RunToEnd();
        Assert.Equal(EngineFinishReason.Error, output.Reasons[0]);
        Assert.Equal(5, output.Tokens[0].Count);
        Assert.Equal(0, engine.Pool.PublishedCount);
        engine.AssertAllFree();
    }

    [Fact]
    public void End_of_sequence_is_forbidden_before_the_minimum()
    {
        var runner = new KvDoubleRunner(4, 30, Vocabulary, 1);
        var banned = new List<int[]>();
        runner.OnSubmit = batch => banned.AddRange(batch.SampleRows.Select(row => row.BannedTokens.ToArray()));
        var engine = new SteppedEngine(runner, 100) { EndOfSequence = [7, 8] };
        engine.Add([1, 2], new SamplingParameters { Seed = 1, MinTokens = 2, MaxTokens = 4, StopTokenIds = [9] });
        engine.RunToEnd();
        Assert.Equal(4, banned.Count);
        Assert.Equal([7, 8, 9], banned[0].Order());
        Assert.Equal([7, 8, 9], banned[1].Order());
        Assert.Empty(banned[2]);
    }

    [Fact]
    public void A_slot_is_new_at_first_and_after_preemption_only()
    {
        var runner = new KvDoubleRunner(4, 12, Vocabulary, 1);
        var engine = new SteppedEngine(runner, 48, prefixCache: false);
        int newSlots = 0;
        runner.OnSubmit = batch => newSlots += batch.SampleRows.Count(row => row.SlotIsNew);
        engine.Add([1, 2, 3, 4, 5], Endless with { MaxTokens = 30 });
        engine.Add([1, 2, 3, 4, 6], Endless with { MaxTokens = 30 });
        engine.RunToEnd();
        Assert.True(engine.Scheduler.Counters.Preemptions > 0);
        Assert.Equal(2 + engine.Scheduler.Counters.Preemptions, newSlots);
    }

    [Fact]
    public void Prefixes_are_found_while_their_first_user_still_runs()
    {
        var runner = new KvDoubleRunner(4, 60, Vocabulary, 1);
        var engine = new SteppedEngine(runner, 100);
        int[] prompt = [.. Enumerable.Range(0, 24)];
        engine.Add(prompt, Endless with { MaxTokens = 30 });
        engine.Turn();
        (ScheduledRequest second, RecordedOutput output) = engine.Add(prompt, Endless with { MaxTokens = 3 });
        engine.RunToEnd();
        // The last token must be computed again for its logits, so the last full block is as well.
        Assert.Equal(20, second.CachedTokens);
        Assert.Equal(HashModel.Reference(prompt, 3, Endless with { MaxTokens = 3 }, [0], 100, Vocabulary).Tokens, output.Tokens[0]);
        engine.AssertAllFree();
    }
}
