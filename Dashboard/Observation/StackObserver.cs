using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Dashboard.Observation;

/// <summary>Looks at the stack once a second and keeps what it saw, for any number of readers.</summary>
internal sealed partial class StackObserver(StackReader reader, GatewayProbe gateway, RedisClient redis, TimeProvider clock, ILogger<StackObserver> logger) : BackgroundService
{
    /// <summary>Ticks that the curves show: two minutes.</summary>
    public const int HistoryTicks = 120;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly WorkerLedger _ledger = new();
    private readonly RateHistory _generated = new(HistoryTicks);
    private readonly RateHistory _prompt = new(HistoryTicks);
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile StackSnapshot? _latest;

    /// <summary>The newest snapshot; before the first look, one that knows nothing.</summary>
    public StackSnapshot Latest => _latest ?? Nothing();

    /// <summary>The newest snapshot, as soon as there is one newer than <paramref name="version"/>; what a slow reader missed is left out.</summary>
    public async Task<StackSnapshot> WaitForNewerAsync(long version, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task next = Volatile.Read(ref _next).Task; // taken before the look, so that no snapshot slips by between the two
            if (_latest is { } latest && latest.Version > version)
            {
                return latest;
            }

            await next.WaitAsync(cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        do
        {
            await LookAsync(stoppingToken);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        Task<(bool? IsHealthy, string Detail)> asking = gateway.AskAsync(cancellationToken);
        StackReading? reading = null;
        var detail = $"Answers at {redis.Options.Endpoint}.";
        try
        {
            reading = await reader.ReadAsync(cancellationToken);
        }
        catch (RedisException e)
        {
            detail = e.Message;
        }

        (bool? gatewayHealth, string gatewayDetail) = await asking;
        DateTimeOffset now = clock.GetUtcNow();
        StackSnapshot before = Latest;
        ServiceView redisView = before.Redis.Become(reading is not null, detail, now);
        if (redisView.IsHealthy != before.Redis.IsHealthy)
        {
            RedisChanged(logger, detail);
        }

        if (reading is not null)
        {
            _ledger.Read(reading.Workers, now);
        }

        IReadOnlyList<WorkerView> workers = _ledger.Views(now);
        _generated.Add(reading is null ? double.NaN : workers.Sum(worker => worker.GeneratedTokensPerSecond));
        _prompt.Add(reading is null ? double.NaN : workers.Sum(worker => worker.PromptTokensPerSecond));
        _latest = new StackSnapshot(
            before.Version + 1,
            now,
            redisView,
            before.Gateway.Become(gatewayHealth, gatewayDetail, now),
            workers,
            reading?.Unreadable ?? before.Unreadable,
            reading?.QueuedRequests,
            _generated.ToArray(),
            _prompt.ToArray());
        Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    private StackSnapshot Nothing()
    {
        DateTimeOffset now = clock.GetUtcNow();
        var unknown = new ServiceView(null, "Not asked yet.", now);
        return new StackSnapshot(0, now, unknown, unknown, [], 0, null, [], []);
    }

    [LoggerMessage(1, LogLevel.Information, "Redis: {Detail}")]
    private static partial void RedisChanged(ILogger logger, string detail);
}
