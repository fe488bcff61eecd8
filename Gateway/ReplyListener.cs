using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Gateway;

/// <summary>Reads this gateway's reply stream and hands each item to the request it belongs to.</summary>
internal sealed class ReplyListener(RedisClient redis, PendingRequests pending, RequestQueue queue, GatewayIdentity identity, GatewayCounters counters, ILogger<ReplyListener> logger) : BackgroundService
{
    private const int EntriesPerRead = 64;

    // So many clients are written to by one thread, and so few that many of them occupy several.
    private const int WakesPerThread = 32;

    private static readonly TimeSpan BlockTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FailurePause = TimeSpan.FromMilliseconds(100);

    // Ids are times, so they go on rising when Redis comes back empty.
    private string _lastEntryId = "0";
    private List<PendingRequest> _listed = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using RedisBlockingConnection connection = redis.OpenBlocking($"gateway-{identity.Id}-replies");
        bool failed = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var offset = new RedisStreamOffset(RedisKeys.Replies(identity.Id), _lastEntryId);
                foreach (RedisStreamBatch batch in await connection.XReadAsync(EntriesPerRead, BlockTime, [offset], stoppingToken))
                {
                    Dispatch(batch.Entries);
                    WakeReaders();
                }

                failed = false;
            }
            catch (RedisException e)
            {
                if (!failed)
                {
                    logger.LogWarning("Replies cannot be read: {Message}", e.Message);
                }

                failed = true;
                await Task.Delay(FailurePause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private void Dispatch(RedisStreamEntry[] entries)
    {
        foreach (RedisStreamEntry entry in entries)
        {
            counters.ReplyEntries++;
            _lastEntryId = entry.Id;
            try
            {
                if (entry.TryGet("replies"u8, out ReadOnlyMemory<byte> content))
                {
                    Dispatch(content.Span);
                }
            }
            catch (InvalidDataException e)
            {
                logger.LogError(e, "Reply entry {Entry} is dropped", entry.Id);
            }
        }
    }

    private void Dispatch(ReadOnlySpan<byte> content)
    {
        var reader = new ReplyReader(content);
        while (reader.TryRead(out ReplyItem item))
        {
            if (pending.Find(item.Ticket) is not { } request)
            {
                // Cancelled, or submitted anew since.
                continue;
            }

            if (item.Release is { } reason)
            {
                bool isLost = reason == ReleaseReason.WorkerLost;
                _ = queue.ResubmitAsync(request, isLost ? "its worker was lost" : "its worker stops", counts: isLost, workerIsLost: isLost);
                continue;
            }

            switch (request.Accept(item))
            {
                case ReplyVerdict.New:
                    counters.Events++;
                    List(request);
                    break;
                case ReplyVerdict.Repeated:
                    counters.RepeatedEvents++;
                    List(request);
                    break;
                case ReplyVerdict.Gap:
                    _ = queue.ResubmitAsync(request, "a reply was lost");
                    break;
                default:
                    _ = FailAsync(request);
                    break;
            }
        }
    }

    private void List(PendingRequest request)
    {
        if (!request.IsListed)
        {
            request.IsListed = true;
            _listed.Add(request);
        }
    }

    /// <summary>Lets the readers of all requests with news write them out: here, and on other threads where there are many.</summary>
    private void WakeReaders()
    {
        foreach (PendingRequest request in _listed)
        {
            request.IsListed = false;
        }

        if (_listed.Count > WakesPerThread)
        {
            // The list is theirs from now on.
            for (int first = WakesPerThread; first < _listed.Count; first += WakesPerThread)
            {
                ThreadPool.UnsafeQueueUserWorkItem(Wake, (_listed, first), preferLocal: false);
            }

            Wake((_listed, 0));
            _listed = [];
            return;
        }

        Wake((_listed, 0));
        _listed.Clear();
    }

    private static void Wake((List<PendingRequest> Requests, int First) part)
    {
        int end = Math.Min(part.First + WakesPerThread, part.Requests.Count);
        for (int i = part.First; i < end; i++)
        {
            part.Requests[i].Wake();
        }
    }

    private async Task FailAsync(PendingRequest request)
    {
        logger.LogError("Request {Request} was begun anew by another worker, which chose other tokens", request.Request.Id);
        request.Fail(new GenerationException(
            GenerationErrorKind.Internal,
            "The worker of this request was lost and another could not go on with the same tokens; send the request again.",
            null,
            "generation_diverged"));
        await queue.CancelAsync(request);
    }
}
