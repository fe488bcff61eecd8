using Fastgen.Engine.Batching;
using Fastgen.Engine.KvCache;
using Fastgen.Engine.Sampling;
using Fastgen.Engine.Scheduling;

namespace Fastgen.Engine.UnitTests.Scheduling;

public sealed class StepAllocationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Decode_steps_allocate_nothing(int depth)
    {
        const int Sequences = 32;
        const int WarmUp = 540;
        const int Steps = 200;
        var pool = new BlockPool(4096);
        var scheduler = new Scheduler(new SchedulerLimits(256, Sequences, 256, 16, PrefixCache: true), pool);
        var builder = new BatchBuilder(256, Sequences, 2048, 16);
        using var sampler = new HostSampler();
        float[] logits = new float[512];
        for (int i = 0; i < logits.Length; i++)
        {
            logits[i] = MathF.Sin(i);
        }

        var sampling = new SamplingParameters { Seed = 1, TopP = 0.9f, TopK = 50, IgnoreEos = true, MaxTokens = 1000, PresencePenalty = 0.1f };
        for (int i = 0; i < Sequences; i++)
        {
            int[] prompt = [.. Enumerable.Range(i, 20)];
            var output = new RequestOutput(1, 1, null, announceTokens: true, null);
            scheduler.Add(ScheduledRequest.Create(prompt, sampling, 1, 0, (ulong)i, 2000, [], 16, output));
        }

        var idle = new Queue<(StepPlan Plan, StepOutput Output)>();
        var inFlight = new Queue<(StepPlan Plan, StepOutput Output)>();
        for (int i = 0; i < depth; i++)
        {
            idle.Enqueue((new StepPlan(), new StepOutput()));
        }

        // Token arrays and readers' lists grow by half or double, so rarely: here they have just grown and hold what follows.
        Turns(WarmUp);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Turns(Steps);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(scheduler.Counters.GeneratedTokens > (WarmUp + Steps - 20) * Sequences);

        void Turns(int count)
        {
            for (int turn = 0; turn < count; turn++)
            {
                while (idle.TryPeek(out (StepPlan Plan, StepOutput Output) next) && scheduler.Plan(next.Plan))
                {
                    idle.Dequeue();
                    Batch batch = builder.Build(next.Plan);
                    next.Output.Prepare(batch);
                    for (int row = 0; row < batch.SampleRows.Count; row++)
                    {
                        sampler.Sample(batch.SampleRows[row], logits, row, next.Output);
                    }

                    inFlight.Enqueue(next);
                }

                (StepPlan Plan, StepOutput Output) oldest = inFlight.Dequeue();
                scheduler.Commit(oldest.Plan, oldest.Output);
                idle.Enqueue(oldest);
            }
        }
    }
}
