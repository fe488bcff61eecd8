using System.Collections.Concurrent;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.InferenceWorker;

/// <summary>The reply streams of the gateways that this worker serves.</summary>
internal sealed class ReplyStreams(RedisClient redis, RunningRequests requests, FairShare share, WorkerOptions options, ILogger<ReplyStreams> logger)
{
    private readonly ConcurrentDictionary<string, ReplyStream> _streams = new();

    private long _forgottenEntries;

    /// <summary>Gateways that are remembered.</summary>
    public int Count => _streams.Count;

    public long Entries => Volatile.Read(ref _forgottenEntries) + _streams.Values.Sum(stream => stream.Entries);

    /// <summary>Drops the streams of gateways that this worker has done nothing for in a long time; gateways get a new name with every start.</summary>
    public void ForgetUnused()
    {
        long now = Environment.TickCount64;
        foreach ((string gateway, ReplyStream stream) in _streams)
        {
            // Whoever runs a request for it will look it up again, and nothing of it waits to be written.
            if (stream.IsIdle && now - stream.LastUsedMs > options.ForgetAfterMs && requests.All.All(request => request.GatewayId != gateway) && _streams.TryRemove(gateway, out _))
            {
                Interlocked.Add(ref _forgottenEntries, stream.Entries);
            }
        }
    }

    public ReplyStream For(string gatewayId) =>
        _streams.GetOrAdd(gatewayId, id => new ReplyStream(redis, id, requests, share, options.MaxReplyEntries, logger));

    public async Task WaitUntilIdleAsync(TimeSpan limit)
    {
        long end = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (_streams.Values.Any(stream => !stream.IsIdle) && Environment.TickCount64 < end)
        {
            await Task.Delay(10);
        }
    }
}
