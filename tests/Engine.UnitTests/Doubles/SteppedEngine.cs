using Fastgen.Engine.Batching;
using Fastgen.Engine.KvCache;
using Fastgen.Engine.Sampling;
using Fastgen.Engine.Scheduling;

namespace Fastgen.Engine.UnitTests.Doubles;

/// <summary>Scheduler, batch builder and double run step by step on the test's own thread, as the engine loop does it.</summary>
internal sealed class SteppedEngine
{
    private readonly Queue<StepPlan> _inFlight = new();
    private readonly BatchBuilder _builder;

    public SteppedEngine(KvDoubleRunner runner, int contextTokens, int stepTokens = 64, int maxRunning = 8, int? chunkTokens = null, bool prefixCache = true, bool promptsFirst = false)
    {
        Runner = runner;
        ContextTokens = Math.Min(contextTokens, runner.BlockCount * runner.BlockSize);
        PrefixCache = prefixCache;
        Pool = new BlockPool(runner.BlockCount);
        Scheduler = new Scheduler(new SchedulerLimits(stepTokens, maxRunning, chunkTokens ?? stepTokens, runner.BlockSize, prefixCache) { Regime = runner.Regime, PromptsFirst = promptsFirst }, Pool);
        _builder = new BatchBuilder(stepTokens, maxRunning, ContextTokens, runner.BlockSize);
    }

    public KvDoubleRunner Runner { get; }

    public int ContextTokens { get; }

    public bool PrefixCache { get; }

    public BlockPool Pool { get; }

    public Scheduler Scheduler { get; }

    public int[] EndOfSequence { get; init; } = [0];

    public int StepsInFlight => _inFlight.Count;

    public (ScheduledRequest Request, RecordedOutput Output) Add(int[] prompt, SamplingParameters sampling, int choices = 1, int priority = 0, int? stopAfter = null)
    {
        var output = new RecordedOutput(choices) { StopAfter = stopAfter };
        ScheduledRequest request = ScheduledRequest.Create(
            prompt, sampling, choices, priority, sampling.Seed ?? 1, ContextTokens, ScheduledRequest.StopTokens(sampling, EndOfSequence), PrefixCache ? Runner.BlockSize : null, output);
        Scheduler.Add(request);
        return (request, output);
    }

    /// <summary>One turn of the loop.</summary>
    /// <returns>False when there is nothing to do.</returns>
    public bool Turn()
    {
        while (_inFlight.Count < Runner.MaxStepsInFlight)
        {
            var plan = new StepPlan();
            if (!Scheduler.Plan(plan))
            {
                break;
            }

            try
            {
                Runner.Submit(_builder.Build(plan));
                _inFlight.Enqueue(plan);
            }
            catch (InvalidOperationException exception)
            {
                Scheduler.Fail(plan, exception.Message);
                return true;
            }
        }

        if (_inFlight.Count == 0)
        {
            return false;
        }

        StepPlan oldest = _inFlight.Dequeue();
        Scheduler.Commit(oldest, Runner.Collect());
        return true;
    }

    public int RunToEnd(int maxTurns = 100_000)
    {
        int turns = 0;
        while (Turn())
        {
            Assert.True(++turns < maxTurns, "the engine does not come to an end");
        }

        return turns;
    }

    /// <summary>Nobody holds anything any more, and the double found nothing wrong.</summary>
    public void AssertAllFree()
    {
        Assert.Equal([], Runner.Violations.Distinct());
        Assert.Equal(0, Scheduler.WaitingCount);
        Assert.Equal(0, Scheduler.RunningCount);
        Assert.Equal(Pool.Count, Pool.FreeCount);
        for (int block = 0; block < Pool.Count; block++)
        {
            Assert.Equal(0, Pool.References(block));
        }
    }
}
