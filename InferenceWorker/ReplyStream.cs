using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.InferenceWorker;

/// <summary>
/// Writes to the reply stream of one gateway: whatever has come up since the last entry goes into the next one, one
/// entry at a time, so that a step costs one command and order is kept. Requests are acknowledged together with
/// their last event.
/// </summary>
internal sealed class ReplyStream(RedisClient redis, string gatewayId, RunningRequests requests, FairShare share, int maxEntries, ILogger logger)
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(200);

    // KEYS: reply stream, then the request streams. ARGV: entry, length, group, then the ids of the requests.
    private static readonly RedisScript Finish = new("""
        local written = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[2], '*', 'replies', ARGV[1])
        for i = 2, #KEYS do
          redis.call('XACK', KEYS[i], ARGV[3], ARGV[i + 2])
          redis.call('XDEL', KEYS[i], ARGV[i + 2])
        end
        return written
        """);

    private readonly string _key = RedisKeys.Replies(gatewayId);
    private readonly Lock _lock = new();
    private ReplyBatch _filling = new();
    private ReplyBatch _sending = new();
    private List<RunningRequest> _finishedFilling = [];
    private List<RunningRequest> _finishedSending = [];
    private bool _isActive;
    private long _entries;
    private long _lastUsedMs = Environment.TickCount64;

    /// <summary>Entries written.</summary>
    public long Entries => Volatile.Read(ref _entries);

    /// <summary>Time of the last word, in milliseconds of <see cref="Environment.TickCount64"/>.</summary>
    public long LastUsedMs => Volatile.Read(ref _lastUsedMs);

    /// <summary>Nothing waits to be written and nothing is being written.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_lock)
            {
                return !_isActive;
            }
        }
    }

    /// <summary>Says what is new of a request. The event with the usage is the last one. <see cref="Flush"/> sends it.</summary>
    public void Add(RunningRequest request, GenerationEvent news)
    {
        lock (_lock)
        {
            (int tokenOffset, int textOffset) = request.Advance(news);
            _filling.Add(request.Ticket, tokenOffset, textOffset, news);
            if (news.Usage is not null)
            {
                _finishedFilling.Add(request);
            }
        }
    }

    /// <summary>Says that a request has failed, which is its last event. <see cref="Flush"/> sends it.</summary>
    public void Add(RunningRequest request, GenerationException failure)
    {
        lock (_lock)
        {
            _filling.Add(request.Ticket, failure);
            _finishedFilling.Add(request);
        }
    }

    /// <summary>Gives a request back, which is the last word of it. <see cref="Flush"/> sends it.</summary>
    public void Add(RunningRequest request, ReleaseReason release)
    {
        lock (_lock)
        {
            _filling.Add(request.Ticket, release);
            _finishedFilling.Add(request);
        }
    }

    /// <summary>Begins to write what was added, or leaves it to whoever is writing.</summary>
    public void Flush()
    {
        lock (_lock)
        {
            if (_isActive || _filling.IsEmpty)
            {
                return;
            }

            _isActive = true;
            Volatile.Write(ref _lastUsedMs, Environment.TickCount64);
        }

        _ = WriteAllAsync();
    }

    private async Task WriteAllAsync()
    {
        while (true)
        {
            long lastNumber = requests.LastNumber;
            lock (_lock)
            {
                if (_filling.IsEmpty)
                {
                    _isActive = false;
                    return;
                }

                (_filling, _sending) = (_sending, _filling);
                (_finishedFilling, _finishedSending) = (_finishedSending, _finishedFilling);
            }

            await WriteAsync(lastNumber);
            Interlocked.Increment(ref _entries);
            _sending.Clear();
            foreach (RunningRequest request in _finishedSending)
            {
                requests.Remove(request);
                request.Dispose();
            }

            if (_finishedSending.Count > 0)
            {
                share.TellSoon();
                _finishedSending.Clear();
            }
        }
    }

    private async Task WriteAsync(long lastNumber)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                bool isThere = _finishedSending.Count == 0 ? await WriteEntryAsync() : await WriteAndAcknowledgeAsync();
                if (!isThere)
                {
                    logger.LogInformation("Gateway {Gateway} is gone; its requests are dropped", gatewayId);
                    requests.GatewayIsGone(gatewayId, lastNumber);
                }

                return;
            }
            catch (RedisException e)
            {
                // Whether the entry was written is unknown; the gateway drops what it has seen already.
                if (attempt == 1)
                {
                    logger.LogWarning("Replies to gateway {Gateway} wait for Redis: {Message}", gatewayId, e.Message);
                }

                await Task.Delay(RetryPause);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task<bool> WriteEntryAsync() =>
        await redis.XAddAsync(_key, [RequestFields.Replies, _sending.Bytes], maxEntries, onlyIfExists: true) is not null;

    private async Task<bool> WriteAndAcknowledgeAsync()
    {
        var keys = new RedisArg[1 + _finishedSending.Count];
        var args = new RedisArg[3 + _finishedSending.Count];
        keys[0] = _key;
        args[0] = _sending.Bytes;
        args[1] = maxEntries;
        args[2] = RedisKeys.WorkerGroup;
        for (int i = 0; i < _finishedSending.Count; i++)
        {
            keys[1 + i] = _finishedSending[i].Stream;
            args[3 + i] = _finishedSending[i].EntryId;
        }

        return !(await redis.EvalAsync(Finish, keys, args)).IsNull;
    }
}
