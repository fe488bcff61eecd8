using System.Threading.Tasks.Sources;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;

namespace Fastgen.Gateway;

/// <summary>A request that this gateway has submitted and whose last event has not come.</summary>
/// <remarks>It has one reader, who is woken on the thread that brings the news: another hop for every client and reply entry
/// would cost more than the writing.</remarks>
internal sealed class PendingRequest : IValueTaskSource
{
    private readonly Queue<GenerationEvent> _events = [];
    private readonly ChoiceProgress[] _choices;
    private readonly Lock _lock = new();
    private ManualResetValueTaskSourceCore<bool> _wait;
    private GenerationException? _failure;
    private bool _isAwaited;
    private bool _isSignalled;
    private long _lastNewsMs = Environment.TickCount64;

    public PendingRequest(GenerationRequest request, string stream)
    {
        Request = request;
        Stream = stream;
        _choices = new ChoiceProgress[Math.Max(1, request.Choices)];
        for (int i = 0; i < _choices.Length; i++)
        {
            _choices[i] = new ChoiceProgress();
        }
    }

    public GenerationRequest Request { get; }

    /// <summary>The stream it is submitted to.</summary>
    public string Stream { get; set; }

    /// <summary>Number of the current submission.</summary>
    public long Ticket { get; set; }

    /// <summary>Entry of the current submission.</summary>
    public string? EntryId { get; set; }

    public int Resubmissions { get; set; }

    /// <summary>Someone is submitting it anew.</summary>
    public bool IsResubmitting { get; set; }

    /// <summary>How often in a row Redis was found to have lost it.</summary>
    public int MissedChecks { get; set; }

    public bool IsDone { get; private set; }

    public long SilentMs => Environment.TickCount64 - Volatile.Read(ref _lastNewsMs);

    /// <summary>The reply listener will wake the reader. Its own.</summary>
    public bool IsListed { get; set; }

    /// <summary>Waits until there is something to take, or somebody has called <see cref="Wake"/>.</summary>
    public ValueTask WaitAsync()
    {
        lock (_lock)
        {
            if (_isSignalled || _events.Count > 0 || IsDone)
            {
                _isSignalled = false;
                return ValueTask.CompletedTask;
            }

            _isAwaited = true;
            _wait.Reset();
            return new ValueTask(this, _wait.Version);
        }
    }

    /// <summary>Runs the reader, on this thread if it waits.</summary>
    public void Wake()
    {
        bool wake;
        lock (_lock)
        {
            wake = _isAwaited;
            _isAwaited = false;
            _isSignalled = !wake;
        }

        if (wake)
        {
            _wait.SetResult(true);
        }
    }

    /// <summary>Takes the next event.</summary>
    /// <param name="isLast">Nothing comes any more.</param>
    /// <returns>Null when there is none now.</returns>
    /// <exception cref="GenerationException">The request has failed.</exception>
    public GenerationEvent? Take(out bool isLast)
    {
        lock (_lock)
        {
            bool any = _events.TryDequeue(out GenerationEvent? news);
            // A failure comes after what came before it, and is not to be lost behind that.
            isLast = IsDone && _failure is null && _events.Count == 0;
            return any || _failure is null ? news : throw _failure;
        }
    }

    /// <summary>Postpones the next check of whether Redis still has it.</summary>
    public void Reassured()
    {
        MissedChecks = 0;
        Volatile.Write(ref _lastNewsMs, Environment.TickCount64);
    }

    /// <summary>The request for whoever generates it: with what the caller has of it, if that is anything.</summary>
    public GenerationRequest Resume()
    {
        lock (_lock)
        {
            return Array.Exists(_choices, choice => choice.HasBegun)
                ? Request with { Resumed = Array.ConvertAll(_choices, choice => choice.Resume()) }
                : Request;
        }
    }

    /// <summary>Takes in what a worker says; <see cref="Wake"/> is to follow.</summary>
    public ReplyVerdict Accept(in ReplyItem item)
    {
        Reassured();
        lock (_lock)
        {
            if (IsDone)
            {
                return ReplyVerdict.Repeated;
            }

            if (item.Failure is { } failure)
            {
                IsDone = true;
                _failure = failure;
                return ReplyVerdict.New;
            }

            if ((uint)item.Event!.Choice >= (uint)_choices.Length)
            {
                return ReplyVerdict.Contradiction;
            }

            ReplyVerdict verdict = _choices[item.Event.Choice].Accept(item, out GenerationEvent? news);
            if (news is not null)
            {
                _events.Enqueue(news);
                IsDone = news.Usage is not null;
            }

            return verdict;
        }
    }

    /// <summary>Ends the request; does nothing if it has ended.</summary>
    public void Fail(GenerationException failure)
    {
        lock (_lock)
        {
            if (IsDone)
            {
                return;
            }

            IsDone = true;
            _failure = failure;
        }

        Wake();
    }

    void IValueTaskSource.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);
}
