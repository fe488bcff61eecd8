using Fastgen.Contracts;
using Fastgen.Serving;

namespace Fastgen.InferenceWorker;

/// <summary>A request that this worker has taken from a stream.</summary>
internal sealed class RunningRequest : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Timer? _deadline;
    private FeedGeneration? _generation;
    private int _hasEnded;
    private readonly int[] _tokens;
    private readonly int[] _textUnits;

    public RunningRequest(string stream, string entryId, string gatewayId, long ticket, GenerationRequest request)
    {
        Stream = stream;
        EntryId = entryId;
        GatewayId = gatewayId;
        Ticket = ticket;
        Request = request;
        _tokens = new int[Math.Max(1, request.Choices)];
        _textUnits = new int[_tokens.Length];
        for (int choice = 0; choice < Math.Min(_tokens.Length, request.Resumed?.Count ?? 0); choice++)
        {
            _tokens[choice] = request.Resumed![choice].TokenIds.Count;
            _textUnits[choice] = request.Resumed[choice].TextUnits;
        }

        if (request.Deadline is { } deadline)
        {
            TimeSpan left = deadline - DateTimeOffset.UtcNow;
            // A timer cannot wait longer than 49 days.
            left = left < TimeSpan.Zero ? TimeSpan.Zero : left > TimeSpan.FromDays(40) ? TimeSpan.FromDays(40) : left;
            _deadline = new Timer(static late => ((RunningRequest)late!).Stop(StopReason.Late), this, left, Timeout.InfiniteTimeSpan);
        }
    }

    public string Stream { get; }

    public string EntryId { get; }

    public string GatewayId { get; }

    public long Ticket { get; }

    public GenerationRequest Request { get; }

    /// <summary>Why it was stopped; <see cref="StopReason.None"/> while it runs.</summary>
    public StopReason StopReason { get; private set; }

    /// <summary>Counts the requests of this process, so that an answer of Redis can be told to be older than a request.</summary>
    public long Number { get; set; }

    /// <summary>Sequences that it takes up in the engine.</summary>
    public int Choices => _tokens.Length;

    /// <summary>Advances a choice.</summary>
    /// <returns>Where the event's tokens and text begin in the choice.</returns>
    public (int TokenOffset, int TextOffset) Advance(GenerationEvent news)
    {
        (int, int) before = (_tokens[news.Choice], _textUnits[news.Choice]);
        _tokens[news.Choice] += news.TokenIds.Count;
        _textUnits[news.Choice] += news.Text.Length;
        return before;
    }

    /// <summary>Ends it before its time: the engine is told, and tells its end.</summary>
    public void Stop(StopReason reason)
    {
        FeedGeneration? generation;
        lock (_lock)
        {
            if (StopReason != StopReason.None)
            {
                return;
            }

            StopReason = reason;
            generation = _generation;
        }

        generation?.Abort();
    }

    /// <summary>Says which generation a stop has to end.</summary>
    public void Attach(FeedGeneration generation)
    {
        bool isStopped;
        lock (_lock)
        {
            _generation = generation;
            isStopped = StopReason != StopReason.None;
        }

        if (isStopped)
        {
            generation.Abort();
        }
    }

    /// <returns>True for the first who asks: the request is ended once.</returns>
    public bool TryEnd() => Interlocked.Exchange(ref _hasEnded, 1) == 0;

    public void Dispose() => _deadline?.Dispose();
}
