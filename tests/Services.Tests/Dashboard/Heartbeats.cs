using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Dashboard;

/// <summary>Says again and again that workers live, since one that is silent for some seconds counts for nothing.</summary>
internal sealed class Heartbeats : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(10);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _beating;

    public Heartbeats(RedisClient redis, params WorkerStatus[] workers) => _beating = BeatAsync(redis, workers);

    /// <summary>Says it once.</summary>
    public static async Task BeatAsync(RedisClient redis, WorkerStatus status)
    {
        await redis.SetAsync(RedisKeys.Worker(status.Id), JsonSerializer.Serialize(status, ContractsJson.Default.WorkerStatus), Life);
        await redis.ExecuteAsync("ZADD", RedisKeys.Workers, status.AtUnixMs, status.Id);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _beating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task BeatAsync(RedisClient redis, WorkerStatus[] workers)
    {
        for (long beat = 1; ; beat++)
        {
            foreach (WorkerStatus worker in workers)
            {
                await BeatAsync(redis, worker with { AtUnixMs = beat });
            }

            await Task.Delay(Interval, _stop.Token);
        }
    }
}
