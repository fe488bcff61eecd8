using System.Diagnostics;
using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.Engine;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.InferenceWorker;

/// <summary>Says in Redis that this worker lives and how it fares.</summary>
internal sealed class Heartbeat(RedisClient redis, RunningRequests requests, ReplyStreams replies, EntryKeeper entries, WorkerState state, WorkerOptions options, WorkerIdentity identity, ILogger<Heartbeat> logger)
{
    // Requests that take seconds end in few of the intervals between heartbeats; the pace is an average over more of them.
    private const double PaceSeconds = 30;

    private static readonly TimeSpan ForgetAfter = TimeSpan.FromHours(1);

    private volatile WorkerStatus? _latest;
    private EngineStatistics _last;
    private long _lastFinished;
    private long _lastTimestamp;
    private double _paceSum;
    private double _paceWeight;

    /// <summary>What was said last; null before the first heartbeat.</summary>
    public WorkerStatus? Latest => _latest;

    public async Task RunAsync(LoadedModel model, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(options.HeartbeatMs));
        bool failed = false;
        do
        {
            try
            {
                await entries.TouchAsync();
                await PublishAsync(model);
                if (state.IsPulling && !state.IsDraining)
                {
                    await entries.ClaimAsync(model);
                }

                replies.ForgetUnused();
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
        while (await timer.WaitForNextTickAsync(stopping));
    }

    /// <summary>Takes this worker out of the list, so that nobody waits for it.</summary>
    public async Task SignOffAsync()
    {
        try
        {
            await redis.DelAsync(RedisKeys.Worker(identity.Id));
            await redis.ExecuteAsync("ZREM", RedisKeys.Workers, identity.Id);
        }
        catch (RedisException e)
        {
            logger.LogWarning("The worker could not sign off: {Message}", e.Message);
        }
    }

    private async Task PublishAsync(LoadedModel model)
    {
        WorkerStatus status = Measure(model);
        _latest = status;
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(status, ContractsJson.Default.WorkerStatus);
        await redis.SetAsync(RedisKeys.Worker(identity.Id), json, TimeSpan.FromMilliseconds(options.DeadAfterMs));
        await redis.ExecuteAsync("ZADD", RedisKeys.Workers, status.AtUnixMs, identity.Id);
        await redis.ExecuteAsync("ZREMRANGEBYSCORE", RedisKeys.Workers, "-inf", status.AtUnixMs - (long)ForgetAfter.TotalMilliseconds);
    }

    private WorkerStatus Measure(LoadedModel model)
    {
        // In this order, so that a request is open or finished or both, but never neither, and the engine's figures are those after
        // the last request when none is open.
        int open = requests.Count;
        long finished = requests.Finished;
        EngineStatistics now = model.Engine.Statistics;
        long timestamp = Stopwatch.GetTimestamp();
        double seconds = _lastTimestamp == 0 ? double.PositiveInfinity : Stopwatch.GetElapsedTime(_lastTimestamp, timestamp).TotalSeconds;
        var status = new WorkerStatus
        {
            Id = identity.Id,
            Model = model.Name,
            MaxContextTokens = model.Engine.MaxContextTokens,
            LoadedUnixSeconds = model.LoadedUnixSeconds,
            AtUnixMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
            Host = Environment.MachineName,
            ProcessId = Environment.ProcessId,
            Requests = open,
            IsDraining = state.IsDraining,
            IsFaulted = now.IsFaulted,
            RunningSequences = now.RunningSequences,
            WaitingSequences = now.WaitingSequences,
            TotalBlocks = now.TotalBlocks,
            FreeBlocks = now.FreeBlocks,
            CachedBlocks = now.CachedBlocks,
            BlockSize = now.BlockSize,
            Steps = now.Steps,
            GeneratedTokens = now.GeneratedTokens,
            PromptTokens = now.PromptTokens,
            ComputedTokens = now.ComputedTokens,
            CachedTokens = now.CachedTokens,
            Preemptions = now.Preemptions,
            FinishedRequests = finished,
            ReplyEntries = replies.Entries,
            GeneratedTokensPerSecond = (now.GeneratedTokens - _last.GeneratedTokens) / seconds,
            PromptTokensPerSecond = (now.PromptTokens - _last.PromptTokens) / seconds,
            StepsPerSecond = (now.Steps - _last.Steps) / seconds,
            FinishedRequestsPerSecond = Pace(finished - _lastFinished, seconds),
        };
        (_last, _lastFinished, _lastTimestamp) = (now, finished, timestamp);
        return status;
    }

    /// <summary>Requests that end in a second of work; time without work says nothing of it.</summary>
    private double Pace(long finished, double seconds)
    {
        if (double.IsFinite(seconds) && (finished > 0 || requests.Count > 0))
        {
            double weight = 1 - Math.Exp(-seconds / PaceSeconds);
            _paceSum += weight * ((finished / seconds) - _paceSum);
            _paceWeight += weight * (1 - _paceWeight);
        }

        return _paceWeight > 0 ? _paceSum / _paceWeight : 0;
    }
}
