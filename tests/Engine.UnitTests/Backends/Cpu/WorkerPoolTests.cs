using Fastgen.Engine.Backends.Cpu;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

public sealed class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_item_runs_once_in_each_of_many_runs(int threads)
    {
        using var pool = new WorkerPool(threads);
        var job = new CountingJob(97, threads);
        for (var run = 1; run <= 2000; run++)
        {
            var items = 1 + (run % 97);
            Array.Clear(job.Counts);
            pool.Run(job, items);
            for (var item = 0; item < job.Counts.Length; item++)
            {
                Assert.Equal(item < items ? 1 : 0, job.Counts[item]);
            }

            if (run % 500 == 0)
            {
                // Long enough for all workers to fall asleep: the next run has to wake them.
                Thread.Sleep(20);
            }
        }
    }

    [Fact]
    public void No_items_are_no_work()
    {
        using var pool = new WorkerPool(2);
        pool.Run(new CountingJob(1, 2), 0);
    }

    [Fact]
    public void A_failure_reaches_the_caller_and_the_pool_goes_on()
    {
        using var pool = new WorkerPool(3);
        var failing = new FailingJob();
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal("item 5", Assert.Throws<InvalidOperationException>(() => pool.Run(failing, 40)).Message);
        }

        var job = new CountingJob(40, 3);
        pool.Run(job, 40);
        Assert.All(job.Counts, count => Assert.Equal(1, count));
    }

    [Fact]
    public void Idle_workers_sleep()
    {
        using var pool = new WorkerPool(4);
        pool.Run(new CountingJob(100, 4), 100);
        Assert.True(SpinWait.SpinUntil(() => pool.SleepingThreads == 3, TimeSpan.FromSeconds(90)));
    }

    private sealed class CountingJob(int items, int threads) : KernelJob
    {
        public int[] Counts { get; } = new int[items];

        public override void Execute(int item, int worker)
        {
            Assert.InRange(worker, 0, threads - 1);
            Interlocked.Increment(ref Counts[item]);
        }
    }

    private sealed class FailingJob : KernelJob
    {
        public override void Execute(int item, int worker)
        {
            if (item == 5)
            {
                throw new InvalidOperationException("item 5");
            }
        }
    }
}
