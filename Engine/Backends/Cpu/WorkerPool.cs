using System.Runtime.ExceptionServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Threads that share the items of a job with the caller: they spin for a short time after the last job and then sleep, so a busy pool starts in well under a microsecond and an idle one takes no CPU.</summary>
/// <remarks>One caller at a time. Items are claimed one by one, so a thread that the system has put aside holds nobody up
/// unless it holds an item.</remarks>
internal sealed class WorkerPool : IDisposable
{
    /// <summary>Rounds of looking for work before a thread sleeps, about 60 µs: longer than the gaps inside a step, short enough
    /// that programs beside this one lose little.</summary>
    private const int SpinRounds = 2000;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _wake = new(0);

    /// <summary>Upper half: number of the run. Lower half: items not claimed yet. One word, so that a late thread cannot take an item of a run that it did not see.</summary>
    private long _claims;
    private int _itemCount;
    private int _unfinished;
    private int _sleeping;
    private KernelJob? _job;
    private ExceptionDispatchInfo? _failure;
    private volatile bool _stop;

    /// <param name="threads">Threads that work, the caller among them.</param>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ThreadCount = threads;
        _threads = new Thread[threads - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"fastgen-cpu-{worker}" };
            _threads[i].Start();
        }
    }

    public int ThreadCount { get; }

    /// <summary>Threads that take no CPU until the next run.</summary>
    public int SleepingThreads => Volatile.Read(ref _sleeping);

    /// <summary>Runs all items of a job and returns when the last has ended.</summary>
    /// <exception cref="Exception">What the first failing item threw.</exception>
    public void Run(KernelJob job, int itemCount)
    {
        if (itemCount == 1 || _threads.Length == 0)
        {
            for (var item = 0; item < itemCount; item++)
            {
                job.Execute(item, 0);
            }

            return;
        }

        if (itemCount <= 0)
        {
            return;
        }

        _job = job;
        _itemCount = itemCount;
        Volatile.Write(ref _unfinished, itemCount);
        var run = (_claims >> 32) + 1;
        Interlocked.Exchange(ref _claims, (run << 32) | (uint)itemCount);
        Wake(itemCount - 1);

        while (TryExecuteOne(0))
        {
        }

        var spinner = default(SpinWait);
        for (var round = 0; Volatile.Read(ref _unfinished) != 0; round++)
        {
            if (round < SpinRounds)
            {
                Thread.SpinWait(1);
            }
            else
            {
                spinner.SpinOnce(sleep1Threshold: -1);
            }
        }

        _job = null;
        if (_failure is { } failure)
        {
            _failure = null;
            failure.Throw();
        }
    }

    public void Dispose()
    {
        _stop = true;
        if (_threads.Length > 0)
        {
            _wake.Release(_threads.Length);
        }

        foreach (var thread in _threads)
        {
            thread.Join();
        }

        _wake.Dispose();
    }

    private void Work(int worker)
    {
        var idleRounds = 0;
        while (!_stop)
        {
            if (TryExecuteOne(worker))
            {
                idleRounds = 0;
            }
            else if (++idleRounds < SpinRounds)
            {
                Thread.SpinWait(1);
            }
            else
            {
                idleRounds = 0;
                Sleep();
            }
        }
    }

    private void Wake(int most)
    {
        while (Volatile.Read(ref _sleeping) is var sleeping and > 0)
        {
            // Whoever takes a sleeper off the count owes it exactly one permit.
            var woken = Math.Min(sleeping, most);
            if (Interlocked.CompareExchange(ref _sleeping, sleeping - woken, sleeping) == sleeping)
            {
                _wake.Release(woken);
                return;
            }
        }
    }

    private void Sleep()
    {
        Interlocked.Increment(ref _sleeping);

        // A run that began before the line above saw nobody asleep: look once more.
        if ((uint)Volatile.Read(ref _claims) != 0 || _stop)
        {
            while (Volatile.Read(ref _sleeping) is var sleeping and > 0)
            {
                if (Interlocked.CompareExchange(ref _sleeping, sleeping - 1, sleeping) == sleeping)
                {
                    return;
                }
            }
        }

        _wake.Wait();
    }

    private bool TryExecuteOne(int worker)
    {
        while (true)
        {
            var claims = Volatile.Read(ref _claims);
            var remaining = (uint)claims;
            if (remaining == 0)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _claims, claims - 1, claims) != claims)
            {
                continue;
            }

            // From here to the decrement the run cannot end, so its fields are stable.
            try
            {
                _job!.Execute(_itemCount - (int)remaining, worker);
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
            }

            Interlocked.Decrement(ref _unfinished);
            return true;
        }
    }
}
