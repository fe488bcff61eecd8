using Fastgen.Engine.Batching;
using Fastgen.Engine.KvCache;
using Fastgen.Engine.Scheduling;

namespace Fastgen.Engine;

/// <summary>The engine's one thread: plan, build the batch, submit, collect, commit. Read this page first.</summary>
/// <remarks>With a runner that takes two steps at a time, step N+1 is planned and submitted while step N runs; the tokens
/// that N will choose are fed to N+1 on the device. Without work the thread is parked.</remarks>
internal sealed class EngineLoop : IAsyncDisposable
{
    // So many steps in a row may fail before the device is given up.
    private const int MaxConsecutiveFailures = 3;

    private readonly IStepRunner _runner;
    private readonly EngineOptions _options;
    private readonly BlockPool _pool;
    private readonly Scheduler _scheduler;
    private readonly BatchBuilder _builder;
    private readonly Queue<StepPlan> _idlePlans = new();
    private readonly Queue<StepPlan> _plansInFlight = new();
    private readonly List<Message> _messages = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private int _consecutiveFailures;
    private long _failedSteps;

    // Shared with the callers' threads, under this lock.
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _wake = new(false, spinCount: 0);
    private readonly List<Message> _inbox = [];
    private bool _stopping;
    private Exception? _fault;
    private long _submittedAsWaiting;
    private long _leftQueue;
    private long _promptTokens;
    private EngineStatistics _statistics;
    private volatile EngineFeed[] _feeds = [];

    /// <param name="runner">Owned: disposed with the loop.</param>
    /// <param name="contextTokens">Prompt and output tokens that one sequence may have.</param>
    public EngineLoop(IStepRunner runner, EngineOptions options, int contextTokens)
    {
        _runner = runner;
        _options = options;
        int stepTokens = options.MaxStepTokens ?? DefaultStepTokens(isGpu: runner.MaxStepsInFlight > 1);
        _pool = new BlockPool(runner.BlockCount);
        _scheduler = new Scheduler(
            new SchedulerLimits(stepTokens, options.MaxRunningSequences, options.MaxPromptChunkTokens ?? stepTokens, runner.BlockSize, options.EnablePrefixCache) { Regime = runner.Regime, PromptsFirst = options.PromptsFirst },
            _pool);
        _builder = new BatchBuilder(stepTokens, options.MaxRunningSequences, contextTokens, runner.BlockSize);
        // Feedback names rows of the step before only, so no more than two can be on their way.
        for (int i = 0; i < Math.Clamp(runner.MaxStepsInFlight, 1, 2); i++)
        {
            _idlePlans.Enqueue(new StepPlan());
        }

        PublishStatistics();
        _thread = new Thread(Run) { IsBackground = true, Name = "engine loop" };
        _thread.Start();
    }

    private enum MessageKind
    {
        Add,
        Abort,
    }

    /// <summary>Parked, working or ended.</summary>
    public ThreadState ThreadState => _thread.ThreadState;

    public EngineStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return _statistics with { PromptTokens = _promptTokens, IsFaulted = _fault is not null };
            }
        }
    }

    /// <summary>Hands a request over. Its output hears of it from the loop's thread.</summary>
    /// <param name="countsAsWaiting">Whether the bound of the waiting queue applies to it.</param>
    /// <exception cref="EngineOverloadedException">The waiting queue is full.</exception>
    /// <exception cref="EngineFaultedException">The device has failed repeatedly.</exception>
    /// <exception cref="ObjectDisposedException">The engine has been disposed.</exception>
    public void Submit(ScheduledRequest request, bool countsAsWaiting)
    {
        lock (_gate)
        {
            if (_fault is not null)
            {
                throw new EngineFaultedException($"The engine takes no more requests since its device failed {MaxConsecutiveFailures} steps in a row; load it anew. The failure: {_fault.Message}", _fault);
            }

            ObjectDisposedException.ThrowIf(_stopping, typeof(LlmEngine));
            if (countsAsWaiting)
            {
                if (_submittedAsWaiting - _leftQueue >= _options.MaxWaitingRequests)
                {
                    throw new EngineOverloadedException($"{_submittedAsWaiting - _leftQueue} requests are waiting and {_options.MaxWaitingRequests} may; try again later or raise MaxWaitingRequests.");
                }

                request.CountsAsWaiting = true;
                _submittedAsWaiting++;
            }

            _promptTokens += request.Prompt.Length;
            _inbox.Add(new Message(MessageKind.Add, request));
            _wake.Set();
        }
    }

    /// <summary>Ends a request at the next step boundary. Does nothing if it has ended.</summary>
    public void Abort(ScheduledRequest request)
    {
        lock (_gate)
        {
            if (!_stopping && _fault is null)
            {
                _inbox.Add(new Message(MessageKind.Abort, request));
                _wake.Set();
            }
        }
    }

    public EngineFeed AddFeed(Action<bool> onNews)
    {
        var feed = new EngineFeed(this, onNews);
        lock (_gate)
        {
            _feeds = [.. _feeds, feed];
        }

        return feed;
    }

    public void RemoveFeed(EngineFeed feed)
    {
        lock (_gate)
        {
            _feeds = [.. _feeds.Where(other => other != feed)];
        }
    }

    /// <summary>Cancels all requests, waits for the steps in flight and disposes the runner.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _stopping = true;
            _wake.Set();
        }

        await _ended.Task;
    }

    /// <summary>So many tokens keep the device's arithmetic busy; more only make decodes wait.</summary>
    public static int DefaultStepTokens(bool isGpu) => isGpu ? 8192 : 512;

    private void Run()
    {
        string reason = "The engine was disposed.";
        EngineFinishReason finish = EngineFinishReason.Cancelled;
        try
        {
            bool hasWork = false;
            while (TakeMessages(mayPark: !hasWork))
            {
                hasWork = Advance();
                PublishStatistics();
                AnnounceFeeds();
            }
        }
        catch (Exception exception)
        {
            finish = EngineFinishReason.Error;
            reason = $"The engine stopped: {exception.Message}";
            lock (_gate)
            {
                _fault = exception;
            }
        }

        End(finish, reason);
    }

    /// <summary>One turn: fills the device with steps, then takes in the oldest.</summary>
    /// <returns>False when there is nothing to do before a message arrives.</returns>
    private bool Advance()
    {
        while (_idlePlans.TryPeek(out StepPlan? plan) && _scheduler.Plan(plan))
        {
            _idlePlans.Dequeue();
            if (!Submit(plan))
            {
                return true;
            }
        }

        if (_plansInFlight.Count == 0)
        {
            return false;
        }

        Collect();
        return true;
    }

    private bool Submit(StepPlan plan)
    {
        Batch batch = _builder.Build(plan);
        // Before the step and not only after it: who has just been admitted must not count as waiting while a long step runs.
        PublishStatistics();
        try
        {
            _runner.Submit(batch);
        }
        catch (Exception exception)
        {
            StepFailed(plan, exception);
            return false;
        }

        _plansInFlight.Enqueue(plan);
        return true;
    }

    private void Collect()
    {
        StepPlan plan = _plansInFlight.Dequeue();
        StepOutput output;
        try
        {
            output = _runner.Collect();
        }
        catch (Exception exception)
        {
            StepFailed(plan, exception);
            return;
        }

        _consecutiveFailures = 0;
        _scheduler.Commit(plan, output);
        _idlePlans.Enqueue(plan);
    }

    private void StepFailed(StepPlan plan, Exception exception)
    {
        _failedSteps++;
        _scheduler.Fail(plan, $"Step {plan.StepNumber} of the engine failed: {exception.Message}");
        _idlePlans.Enqueue(plan);
        if (++_consecutiveFailures >= MaxConsecutiveFailures)
        {
            throw new EngineFaultedException($"{_consecutiveFailures} steps in a row failed, the last one with: {exception.Message}", exception);
        }
    }

    private bool TakeMessages(bool mayPark)
    {
        if (mayPark)
        {
            _wake.Wait();
        }

        lock (_gate)
        {
            _wake.Reset();
            if (_stopping)
            {
                return false;
            }

            _messages.AddRange(_inbox);
            _inbox.Clear();
        }

        foreach (Message message in _messages)
        {
            if (message.Kind == MessageKind.Add)
            {
                _scheduler.Add(message.Request);
            }
            else
            {
                _scheduler.Abort(message.Request, EngineFinishReason.Cancelled, null);
            }
        }

        if (_messages.Count > 0)
        {
            // What was aborted is told now: a step may take long.
            AnnounceFeeds();
            _messages.Clear();
        }

        return true;
    }

    private void AnnounceFeeds()
    {
        foreach (EngineFeed feed in _feeds)
        {
            feed.Announce();
        }
    }

    private void PublishStatistics()
    {
        SchedulerCounters counters = _scheduler.Counters;
        DeviceTimes times = _runner.Times;
        lock (_gate)
        {
            _leftQueue = counters.LeftQueue;
            _statistics = new EngineStatistics
            {
                RunningSequences = _scheduler.RunningCount,
                WaitingSequences = _scheduler.WaitingCount,
                TotalBlocks = _pool.Count,
                FreeBlocks = _pool.FreeCount,
                CachedBlocks = _pool.PublishedCount,
                BlockSize = _runner.BlockSize,
                Steps = counters.Steps,
                FailedSteps = _failedSteps,
                GeneratedTokens = counters.GeneratedTokens,
                ComputedTokens = counters.ComputedTokens,
                CachedTokens = counters.CachedTokens,
                Preemptions = counters.Preemptions,
                CopiedBlocks = counters.CopiedBlocks,
                DeviceBusyMs = times.BusyMs,
                DeviceGapMs = times.GapMs,
            };
        }
    }

    private void End(EngineFinishReason finish, string reason)
    {
        _scheduler.AbortAll(finish, reason);
        while (_plansInFlight.TryDequeue(out StepPlan? plan))
        {
            try
            {
                _scheduler.Commit(plan, _runner.Collect());
            }
            catch (Exception)
            {
                // Every request has ended already: only the blocks of this step's sequences are left to be given back.
                _scheduler.Fail(plan, reason);
            }
        }

        Message[] late;
        lock (_gate)
        {
            late = [.. _inbox];
            _inbox.Clear();
        }

        foreach (Message message in late)
        {
            if (message.Kind == MessageKind.Add)
            {
                _scheduler.Add(message.Request);
                _scheduler.Abort(message.Request, finish, reason);
            }
        }

        PublishStatistics();
        AnnounceFeeds();
        try
        {
            _runner.Dispose();
            _ended.SetResult();
        }
        catch (Exception exception)
        {
            _ended.SetException(exception);
        }
    }

    private readonly record struct Message(MessageKind Kind, ScheduledRequest Request);
}
