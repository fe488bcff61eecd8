using System.Diagnostics;
using Fastgen.Contracts;
using Fastgen.Serving;

namespace Fastgen.InferenceWorker;

/// <summary>Carries what the engine generates to the reply streams, all requests in one pass.</summary>
/// <remarks>First tokens and ends go out after their step. What comes between waits until the reply interval since the last full
/// pass is over, so that one entry, one read and one write to each client carry the tokens of several steps.</remarks>
internal sealed class ReplyPump : IThreadPoolWorkItem, IDisposable
{
    // Timers tick coarsely: what is due in a moment is due.
    private const long SlackMs = 2;

    private readonly GenerationFeed _feed;
    private readonly RequestRunner _runner;
    private readonly ReplyStreams _replies;
    private readonly Timer _timer;
    private readonly List<FeedGeneration> _generations = [];
    private readonly List<GenerationEvent> _events = [];
    private readonly HashSet<ReplyStream> _touched = [];
    private readonly long _intervalMs;
    private long _lastFullPass;
    private int _isTimed;
    private int _wanted;

    /// <param name="intervalMs">0: every step goes out at once.</param>
    public ReplyPump(EngineGenerationService service, RequestRunner runner, ReplyStreams replies, int intervalMs)
    {
        _runner = runner;
        _replies = replies;
        _intervalMs = intervalMs;
        _timer = new Timer(static pump => ((ReplyPump)pump!).OnTimer(), this, Timeout.Infinite, Timeout.Infinite);
        _feed = service.OpenFeed(OnNews);
    }

    /// <summary>Begins a request.</summary>
    /// <exception cref="GenerationException">The request cannot be served.</exception>
    public FeedGeneration Start(RunningRequest request) => _feed.Start(request.Request, request);

    public void Dispose()
    {
        _feed.Dispose();
        _timer.Dispose();
    }

    void IThreadPoolWorkItem.Execute()
    {
        // One pass at a time: whoever asks meanwhile makes this thread do another.
        int seen;
        do
        {
            seen = Volatile.Read(ref _wanted);
            Pass();
        }
        while (Interlocked.Add(ref _wanted, -seen) != 0);
    }

    /// <summary>On the engine's thread.</summary>
    private void OnNews(bool isUrgent)
    {
        long waitMs = RestOfIntervalMs();
        if (isUrgent || waitMs <= 0)
        {
            Schedule();
        }

        if (waitMs > 0)
        {
            Arm(waitMs);
        }
    }

    private void OnTimer()
    {
        Volatile.Write(ref _isTimed, 0);
        long waitMs = RestOfIntervalMs();
        if (waitMs > SlackMs)
        {
            // A pass came before it.
            Arm(waitMs);
            return;
        }

        Volatile.Write(ref _lastFullPass, 0);
        Schedule();
    }

    private void Arm(long waitMs)
    {
        if (Interlocked.Exchange(ref _isTimed, 1) == 0)
        {
            _timer.Change(waitMs, Timeout.Infinite);
        }
    }

    private long RestOfIntervalMs()
    {
        long last = Volatile.Read(ref _lastFullPass);
        return last == 0 ? 0 : _intervalMs - (long)Stopwatch.GetElapsedTime(last).TotalMilliseconds;
    }

    private void Schedule()
    {
        if (Interlocked.Increment(ref _wanted) == 1)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    private void Pass()
    {
        bool isFull = RestOfIntervalMs() <= 0;
        if (isFull)
        {
            Volatile.Write(ref _lastFullPass, Stopwatch.GetTimestamp());
        }

        _feed.Take(_generations, urgentOnly: !isFull);
        foreach (FeedGeneration generation in _generations)
        {
            generation.Take(_events);
            if (_events.Count > 0)
            {
                var request = (RunningRequest)generation.Tag;
                ReplyStream target = _replies.For(request.GatewayId);
                _runner.Pass(request, _events, generation.HasEnded, target);
                _touched.Add(target);
                _events.Clear();
            }
        }

        _generations.Clear();
        foreach (ReplyStream target in _touched)
        {
            target.Flush();
        }

        _touched.Clear();
    }
}
