using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Gateway;

/// <summary>The workers that live, as their heartbeats say.</summary>
internal sealed class FleetDirectory(RedisClient redis, GatewayOptions options) : IDisposable
{
    private const double MaxRetrySeconds = 120;
    private const int MinRefreshMs = 100;

    private readonly SemaphoreSlim _refreshing = new(1, 1);
    private volatile WorkerStatus[] _workers = [];
    private long _refreshedMs = long.MinValue / 2;

    /// <summary>Workers as of the last refresh.</summary>
    public IReadOnlyList<WorkerStatus> Workers => _workers;

    /// <summary>Whether a worker that takes requests serves the model.</summary>
    public bool Serves(string model) => Array.Exists(_workers, worker => worker.Model == model && !worker.IsFaulted && !worker.IsDraining);

    /// <summary>Requests that workers of a model have taken.</summary>
    public int RequestsAtWork(string model) => _workers.Where(worker => worker.Model == model).Sum(worker => worker.Requests);

    /// <summary>Models that can be asked for now.</summary>
    public IReadOnlyList<ModelInfo> Models() =>
    [
        .. _workers.Where(worker => !worker.IsFaulted)
            .GroupBy(worker => worker.Model)
            .OrderBy(model => model.Key, StringComparer.Ordinal)
            .Select(model => new ModelInfo(model.Key, model.Min(worker => worker.LoadedUnixSeconds), model.Min(worker => worker.MaxContextTokens))),
    ];

    /// <summary>
    /// The time in which a tenth of the queue, and one request at least, is worked off at the present pace: room for the
    /// caller and for others that were refused with it.
    /// </summary>
    public TimeSpan RetryAfter(string model, long waiting)
    {
        double pace = _workers.Where(worker => worker.Model == model).Sum(worker => worker.FinishedRequestsPerSecond);
        double seconds = pace > 0 ? Math.Max(1, waiting / 10.0) / pace : MaxRetrySeconds / 4;
        return TimeSpan.FromSeconds(Math.Clamp(Math.Ceiling(seconds), 1, MaxRetrySeconds));
    }

    /// <summary>Makes sure that what is known is not older than a heartbeat.</summary>
    /// <param name="force">Asks again even so, for a model that is missing.</param>
    public async Task RefreshAsync(bool force, CancellationToken cancellationToken)
    {
        long calledMs = Environment.TickCount64;
        if (!force && !IsOlderThan(2 * options.HeartbeatMs))
        {
            return;
        }

        await _refreshing.WaitAsync(cancellationToken);
        try
        {
            long refreshedMs = Volatile.Read(ref _refreshedMs);
            if (force ? refreshedMs >= calledMs : !IsOlderThan(2 * options.HeartbeatMs))
            {
                // Somebody else has asked meanwhile.
                return;
            }

            // Callers who ask for what is not there must not storm Redis: they wait for the next time together.
            long pauseMs = MinRefreshMs - (Environment.TickCount64 - refreshedMs);
            if (pauseMs > 0)
            {
                await Task.Delay((int)pauseMs, cancellationToken);
            }

            long askedMs = Environment.TickCount64;
            _workers = await ReadAsync(cancellationToken);
            Volatile.Write(ref _refreshedMs, askedMs);
        }
        finally
        {
            _refreshing.Release();
        }
    }

    public void Dispose() => _refreshing.Dispose();

    private bool IsOlderThan(int ageMs) => Environment.TickCount64 - Volatile.Read(ref _refreshedMs) > ageMs;

    private async Task<WorkerStatus[]> ReadAsync(CancellationToken cancellationToken)
    {
        RespValue ids = await redis.ExecuteAsync(["ZRANGE", RedisKeys.Workers, 0, -1], redis.Options.CommandTimeout, cancellationToken);
        if (ids.Items.Length == 0)
        {
            return [];
        }

        var words = new RedisArg[1 + ids.Items.Length];
        words[0] = "MGET";
        for (int i = 1; i < words.Length; i++)
        {
            words[i] = RedisKeys.Worker(ids.Items[i - 1].AsString()!);
        }

        RespValue values = await redis.ExecuteAsync(words, redis.Options.CommandTimeout, cancellationToken);
        var workers = new List<WorkerStatus>(values.Items.Length);
        foreach (RespValue value in values.Items)
        {
            // The key of a dead worker expires before its name is forgotten.
            if (!value.IsNull && JsonSerializer.Deserialize(value.AsBytes().Span, ContractsJson.Default.WorkerStatus) is { } worker)
            {
                workers.Add(worker);
            }
        }

        return [.. workers];
    }
}
