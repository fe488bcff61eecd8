using Fastgen.Engine.Sampling;
using Fastgen.Engine.Scheduling;
using Fastgen.Engine.UnitTests.Doubles;

namespace Fastgen.Engine.UnitTests.Scheduling;

public sealed class SchedulerRandomTests
{
    private const int Vocabulary = 97;

    public static TheoryData<int, int, bool> Cases()
    {
        var cases = new TheoryData<int, int, bool>();
        for (int seed = 0; seed < 40; seed++)
        {
            cases.Add(seed, 1 + (seed % 2), seed % 3 != 0);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Random_load_gives_the_tokens_of_a_lone_run_and_frees_all_blocks(int seed, int depth, bool prefixCache)
    {
        var random = new Random(seed);
        int blockSize = random.Next(1, 9);
        int blockCount = random.Next(6, 40);
        var runner = new KvDoubleRunner(blockSize, blockCount, Vocabulary, depth)
        {
            // A boundary at which keys change once, or past which they change with every token.
            RegimeOf = (seed % 4) switch
            {
                0 => length => length > 20 ? 1 : 0,
                1 => length => length > 25 ? length : 0,
                _ => null,
            },
        };
        var engine = new SteppedEngine(
            runner,
            contextTokens: random.Next(8, 120),
            stepTokens: random.Next(1, 40),
            maxRunning: random.Next(4, 10),
            chunkTokens: random.Next(1, 20),
            prefixCache,
            promptsFirst: seed % 3 == 0);
        var requests = new List<(ScheduledRequest Request, RecordedOutput Output, bool Aborted)>();
        int[][] prefixes = [.. Enumerable.Range(0, 3).Select(_ => Tokens(random, engine.ContextTokens - 2))];
        int turns = 0;
        for (int arrival = 0; arrival < 60; arrival++)
        {
            for (int i = random.Next(0, 3); i > 0; i--)
            {
                requests.Add(AddRandom(engine, random, prefixes));
            }

            for (int i = random.Next(0, 12); i > 0 && engine.Turn(); i--)
            {
                turns++;
            }

            if (requests.Count > 0 && random.Next(6) == 0)
            {
                int victim = random.Next(requests.Count);
                engine.Scheduler.Abort(requests[victim].Request, EngineFinishReason.Cancelled, null);
                requests[victim] = requests[victim] with { Aborted = true };
            }
        }

        turns += engine.RunToEnd();
        Assert.True(turns > 50);
        foreach ((ScheduledRequest request, RecordedOutput output, bool aborted) in requests)
        {
            AssertTokens(engine, request, output, aborted);
        }

        engine.AssertAllFree();
    }

    [Fact]
    public void Random_loads_reach_preemption_copies_cache_hits_and_feedback()
    {
        long preemptions = 0;
        long copies = 0;
        long cached = 0;
        long feedback = 0;
        for (int seed = 0; seed < 12; seed++)
        {
            var random = new Random(1000 + seed);
            var runner = new KvDoubleRunner(4, 14, Vocabulary, 2);
            var engine = new SteppedEngine(runner, 60, stepTokens: 16);
            int[][] prefixes = [Tokens(random, 30)];
            for (int i = 0; i < 30; i++)
            {
                AddRandom(engine, random, prefixes);
                engine.Turn();
            }

            engine.RunToEnd();
            engine.AssertAllFree();
            preemptions += engine.Scheduler.Counters.Preemptions;
            copies += engine.Scheduler.Counters.CopiedBlocks;
            cached += engine.Scheduler.Counters.CachedTokens;
            feedback += runner.FeedbackTokens;
        }

        Assert.True(preemptions > 20, $"{preemptions} preemptions");
        Assert.True(copies > 20, $"{copies} copies");
        Assert.True(cached > 100, $"{cached} cached tokens");
        Assert.True(feedback > 500, $"{feedback} tokens fed back");
    }

    private static (ScheduledRequest Request, RecordedOutput Output, bool Aborted) AddRandom(SteppedEngine engine, Random random, int[][] prefixes)
    {
        int longest = engine.ContextTokens - 1;
        int[] prefix = prefixes[random.Next(prefixes.Length)];
        int[] prompt = [.. prefix.AsSpan(0, random.Next(0, prefix.Length)), .. Tokens(random, random.Next(1, 8))];
        prompt = prompt[..Math.Min(prompt.Length, longest)];
        var sampling = new SamplingParameters
        {
            Seed = (ulong)random.NextInt64(),
            MaxTokens = random.Next(3) == 0 ? null : random.Next(1, 40),
            IgnoreEos = random.Next(4) == 0,
            StopTokenIds = random.Next(2) == 0 ? [] : [random.Next(Vocabulary), random.Next(Vocabulary)],
        };
        (ScheduledRequest request, RecordedOutput output) = engine.Add(
            prompt,
            sampling,
            choices: random.Next(3) == 0 ? random.Next(2, 5) : 1,
            priority: random.Next(5) == 0 ? -1 : 0,
            stopAfter: random.Next(5) == 0 ? random.Next(1, 10) : null);
        return (request, output, false);
    }

    private static void AssertTokens(SteppedEngine engine, ScheduledRequest request, RecordedOutput output, bool aborted)
    {
        for (int choice = 0; choice < request.Sequences.Length; choice++)
        {
            (List<int> expected, EngineFinishReason reason) = HashModel.Reference(
                request.Prompt, request.Sequences[choice].Seed, request.Sampling, engine.EndOfSequence, engine.ContextTokens, Vocabulary);
            List<int> actual = output.Tokens[choice];
            Assert.True(output.IsAnnounced);
            if (output.StopAfter is { } stop && stop <= expected.Count)
            {
                expected = expected[..stop];
                reason = EngineFinishReason.Stop;
            }

            if (aborted && output.Reasons[choice] == EngineFinishReason.Cancelled)
            {
                Assert.Equal(expected[..actual.Count], actual);
                continue;
            }

            Assert.Equal(reason, output.Reasons[choice]);
            Assert.Equal(expected, actual);
        }
    }

    private static int[] Tokens(Random random, int count)
    {
        var tokens = new int[count];
        for (int i = 0; i < count; i++)
        {
            tokens[i] = random.Next(Vocabulary);
        }

        return tokens;
    }
}
