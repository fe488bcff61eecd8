using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Gateway;

/// <summary>Keeps the reply stream alive, looks which workers live, and looks after requests of which nothing is heard.</summary>
internal sealed class GatewayHeartbeat(RedisClient redis, PendingRequests pending, RequestQueue queue, FleetDirectory fleet, GatewayOptions options, GatewayIdentity identity, GatewayCounters counters, ILogger<GatewayHeartbeat> logger) : BackgroundService
{
    // The last event of a request may be on its way while its entry is gone already.
    private const int ChecksBeforeLost = 2;
    private static readonly TimeSpan ForgetAfter = TimeSpan.FromHours(1);

    private readonly Dictionary<string, long> _lastServedMs = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(options.HeartbeatMs));
        bool failed = false;
        do
        {
            try
            {
                await PublishAsync();
                await fleet.RefreshAsync(force: true, stoppingToken);
                await LookAfterAsync();
                failed = false;
            }
            catch (RedisException e)
            {
                if (!failed)
                {
                    logger.LogWarning("The heartbeat does not reach Redis: {Message}", e.Message);
                }

                failed = true;
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // A heartbeat under way would write the gateway into the list again. It ends soon: every call to Redis has its time.
        await (ExecuteTask ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            // What workers still generate for this gateway ends with its reply stream: not less so when the time to stop is over.
            await redis.DelAsync([RedisKeys.Gateway(identity.Id), RedisKeys.Replies(identity.Id)], CancellationToken.None);
            await redis.ExecuteAsync("ZREM", RedisKeys.Gateways, identity.Id);
        }
        catch (RedisException e)
        {
            logger.LogWarning("The gateway could not sign off: {Message}", e.Message);
        }
    }

    private async Task PublishAsync()
    {
        var life = TimeSpan.FromMilliseconds(options.DeadAfterMs);
        var status = new GatewayStatus
        {
            Id = identity.Id,
            AtUnixMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
            Host = Environment.MachineName,
            ProcessId = Environment.ProcessId,
            OpenRequests = pending.Count,
            SubmittedRequests = Interlocked.Read(ref counters.Submitted),
            ResubmittedRequests = Interlocked.Read(ref counters.Resubmitted),
            CancelledRequests = Interlocked.Read(ref counters.Cancelled),
            RefusedRequests = Interlocked.Read(ref counters.Refused),
            ReplyEntries = Interlocked.Read(ref counters.ReplyEntries),
            Events = Interlocked.Read(ref counters.Events),
            RepeatedEvents = Interlocked.Read(ref counters.RepeatedEvents),
        };
        await redis.ExpireAsync(RedisKeys.Replies(identity.Id), life);
        await redis.SetAsync(RedisKeys.Gateway(identity.Id), JsonSerializer.SerializeToUtf8Bytes(status, ContractsJson.Default.GatewayStatus), life);
        await redis.ExecuteAsync("ZADD", RedisKeys.Gateways, status.AtUnixMs, identity.Id);
        await redis.ExecuteAsync("ZREMRANGEBYSCORE", RedisKeys.Gateways, "-inf", status.AtUnixMs - (long)ForgetAfter.TotalMilliseconds);
    }

    private async Task LookAfterAsync()
    {
        foreach (WorkerStatus worker in fleet.Workers)
        {
            _lastServedMs[worker.Model] = Environment.TickCount64;
        }

        foreach (PendingRequest request in pending.All)
        {
            // Without an entry it is just being submitted.
            if (request.SilentMs < options.SilentAfterMs || request.EntryId is null)
            {
                continue;
            }

            if (await queue.IsThereAsync(request))
            {
                request.Reassured();
                await GiveUpWithoutWorkerAsync(request);
            }
            else if (++request.MissedChecks >= ChecksBeforeLost)
            {
                await queue.ResubmitAsync(request, "Redis no longer has it");
            }
        }
    }

    private async Task GiveUpWithoutWorkerAsync(PendingRequest request)
    {
        if (!_lastServedMs.TryGetValue(request.Request.Model, out long served))
        {
            // Its worker came and went between two looks; the time runs from now on, and not anew with each look.
            _lastServedMs[request.Request.Model] = served = Environment.TickCount64;
        }

        if (Environment.TickCount64 - served > options.NoWorkerSeconds * 1000L)
        {
            request.Fail(new GenerationException(
                GenerationErrorKind.Unavailable,
                $"No worker has served the model '{request.Request.Model}' for {options.NoWorkerSeconds} s; try again when one is there.",
                null,
                "no_worker"));
            await queue.CancelAsync(request);
        }
    }
}
