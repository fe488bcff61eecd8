using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Gateway;

/// <summary>Puts requests into the streams that workers pull from, and takes them out again.</summary>
internal sealed class RequestQueue(RedisClient redis, PendingRequests pending, FleetDirectory fleet, GatewayOptions options, GatewayIdentity identity, GatewayCounters counters, ILogger<RequestQueue> logger)
{
    // KEYS: stream, reply stream. ARGV: most entries, gateway, ticket, body, life of the reply stream in ms, most bytes.
    // Returns the entry's id, or length and bytes of a full stream. Workers drop requests whose reply stream is missing.
    // A user of Redis who may not ask for memory has the bound of entries alone.
    private static readonly RedisScript Submit = new("""
        local length = redis.call('XLEN', KEYS[1])
        if length >= tonumber(ARGV[1]) then
          return {length, 0}
        end
        if length > 0 then
          local bytes = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 0)
          if type(bytes) == 'number' and bytes + #ARGV[4] > tonumber(ARGV[6]) then
            return {length, bytes}
          end
        end
        if redis.call('EXISTS', KEYS[2]) == 0 then
          redis.call('XADD', KEYS[2], '*', 'created', '1')
          redis.call('PEXPIRE', KEYS[2], ARGV[5])
        end
        return redis.call('XADD', KEYS[1], '*', 'gateway', ARGV[2], 'ticket', ARGV[3], 'body', ARGV[4])
        """);

    /// <exception cref="GenerationException">The queue is full or Redis does not answer.</exception>
    public Task SubmitAsync(PendingRequest request, CancellationToken cancellationToken) =>
        // An entry stays until its request is done, so those at work are in the stream as well.
        SubmitAsync(request, options.MaxQueuedRequests + fleet.RequestsAtWork(request.Request.Model), options.MaxQueuedBytes, cancellationToken);

    private async Task SubmitAsync(PendingRequest request, int limit, long bytesLimit, CancellationToken cancellationToken)
    {
        pending.Add(request);
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(request.Resume(), ContractsJson.Default.GenerationRequest);
        RespValue reply;
        try
        {
            reply = await redis.EvalAsync(Submit, [request.Stream, RedisKeys.Replies(identity.Id)], [limit, identity.Id, request.Ticket, body, options.DeadAfterMs, bytesLimit], cancellationToken);
        }
        catch (RedisException e)
        {
            pending.Remove(request);
            throw QueueUnavailable(e);
        }
        catch
        {
            pending.Remove(request);
            throw;
        }

        if (reply.Type == RespType.Array)
        {
            pending.Remove(request);
            throw Full(request, reply.Items[0].AsInt64(), reply.Items[1].AsInt64());
        }

        request.EntryId = reply.AsString();
        Interlocked.Increment(ref counters.Submitted);
    }

    /// <summary>Submits a request anew that Redis or a worker has lost; it goes on behind what the caller has.</summary>
    /// <param name="reason">For the log.</param>
    /// <param name="counts">Whether it may be the request's own fault, so that it happens only so often.</param>
    /// <param name="workerIsLost">The worker had it, and has died or failed.</param>
    public async Task ResubmitAsync(PendingRequest request, string reason, bool counts = true, bool workerIsLost = false)
    {
        lock (request)
        {
            if (request.IsResubmitting || request.IsDone)
            {
                return;
            }

            request.IsResubmitting = true;
        }

        try
        {
            request.Resubmissions += counts ? 1 : 0;
            if (request.Resubmissions > options.MaxResubmissions)
            {
                request.Fail(workerIsLost ? WorkersLost(request) : Lost(request));
                return;
            }

            logger.LogWarning("Request {Request} is submitted anew: {Reason}", request.Request.Id, reason);
            Interlocked.Increment(ref counters.Resubmitted);
            // It has waited for its turn once: it is neither refused now nor at the end of the queue.
            request.Stream = RedisKeys.Requests(request.Request.Model, PriorityClass.High);
            await SubmitAsync(request, int.MaxValue, long.MaxValue, CancellationToken.None);
            request.Reassured();
            if (request.IsDone)
            {
                // Given up while it was being submitted.
                await CancelAsync(request);
            }
        }
        catch (GenerationException e)
        {
            request.Fail(e);
        }
        finally
        {
            request.IsResubmitting = false;
        }
    }

    /// <summary>Takes a request back that nobody waits for, wherever it is.</summary>
    public async Task CancelAsync(PendingRequest request)
    {
        pending.Remove(request);
        Interlocked.Increment(ref counters.Cancelled);
        try
        {
            // Workers that miss the message notice within a heartbeat that the entry is gone.
            ValueTask<long> heard = redis.PublishAsync(RedisKeys.CancelChannel, new CancelMessage(identity.Id, request.Ticket).Format());
            if (request.EntryId is { } entry)
            {
                await redis.XDelAsync(request.Stream, [entry]);
            }

            await heard;
        }
        catch (RedisException e)
        {
            logger.LogWarning("Request {Request} could not be taken back: {Message}", request.Request.Id, e.Message);
        }
    }

    /// <summary>Whether Redis still has the request's entry.</summary>
    public async Task<bool> IsThereAsync(PendingRequest request)
    {
        RespValue found = await redis.ExecuteAsync("XRANGE", request.Stream, request.EntryId ?? "0", request.EntryId ?? "0");
        return found.Items.Length > 0;
    }

    public static GenerationException QueueUnavailable(RedisException e) => new(
        GenerationErrorKind.Unavailable, "The queue between gateway and workers (Redis) does not answer; try again in a moment.", null, "queue_unavailable", e)
    {
        RetryAfter = TimeSpan.FromSeconds(2),
    };

    private GenerationException Lost(PendingRequest request) => new(
        GenerationErrorKind.Unavailable,
        $"The request was lost {request.Resubmissions} times on its way to a worker and {options.MaxResubmissions} are allowed; send it again.",
        null,
        "request_lost");

    private GenerationException WorkersLost(PendingRequest request) => new(
        GenerationErrorKind.Internal,
        $"The request was given to {request.Resubmissions} workers and none has finished it, while {options.MaxResubmissions + 1} may try; change the request or look at the workers' logs.",
        null,
        "worker_lost");

    private GenerationException Full(PendingRequest request, long length, long bytes)
    {
        Interlocked.Increment(ref counters.Refused);
        long waiting = Math.Max(0, length - fleet.RequestsAtWork(request.Request.Model));
        TimeSpan retryAfter = fleet.RetryAfter(request.Request.Model, waiting);
        string message = bytes > 0
            ? $"The {length} requests for the model '{request.Request.Model}' take {bytes} bytes and {options.MaxQueuedBytes} are allowed; try again in {retryAfter.TotalSeconds:0} s, or with a shorter prompt."
            : $"{waiting} requests wait for the model '{request.Request.Model}' and {options.MaxQueuedRequests} may; try again in {retryAfter.TotalSeconds:0} s.";
        return new GenerationException(
            GenerationErrorKind.Overloaded,
            message,
            null,
            "queue_full")
        {
            RetryAfter = retryAfter,
        };
    }
}
