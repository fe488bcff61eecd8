using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Dashboard.Observation;

/// <summary>Reads from Redis what workers and queues are doing.</summary>
internal sealed class StackReader(RedisClient redis)
{
    // Models of workers that went away stay: their queues may hold requests.
    private readonly HashSet<string> _models = new(StringComparer.Ordinal);

    /// <exception cref="RedisException">Redis does not answer, or not as expected.</exception>
    public async Task<StackReading> ReadAsync(CancellationToken cancellationToken)
    {
        (List<WorkerStatus> workers, int unreadable) = await WorkersAsync(cancellationToken);
        _models.UnionWith(workers.Select(worker => worker.Model));
        long queued = 0;
        foreach (string model in _models)
        {
            foreach (PriorityClass priority in Enum.GetValues<PriorityClass>())
            {
                queued += await QueuedAsync(RedisKeys.Requests(model, priority), cancellationToken);
            }
        }

        return new StackReading(workers, unreadable, queued);
    }

    private async Task<(List<WorkerStatus> Workers, int Unreadable)> WorkersAsync(CancellationToken cancellationToken)
    {
        var workers = new List<WorkerStatus>();
        var unreadable = 0;
        RespValue ids = await redis.ExecuteAsync(["ZRANGE", RedisKeys.Workers, 0, -1], redis.Options.CommandTimeout, cancellationToken);
        for (var i = 0; i < ids.Items.Length; i++)
        {
            RespValue json = await redis.ExecuteAsync(["GET", RedisKeys.Worker(ids.Items[i].AsString()!)], redis.Options.CommandTimeout, cancellationToken);
            if (json.IsNull)
            {
                continue; // a dead worker's heartbeat expires before its name is forgotten
            }

            try
            {
                workers.Add(JsonSerializer.Deserialize(json.AsBytes().Span, ContractsJson.Default.WorkerStatus) ?? throw new JsonException("The heartbeat is null."));
            }
            catch (JsonException)
            {
                unreadable++;
            }
        }

        return (workers, unreadable);
    }

    /// <summary>Entries stay in their stream until they are done; those that a worker has taken are pending.</summary>
    private async Task<long> QueuedAsync(string stream, CancellationToken cancellationToken)
    {
        long length = await redis.XLenAsync(stream, cancellationToken);
        if (length == 0)
        {
            return 0;
        }

        RedisStreamGroup[] groups = await redis.XInfoGroupsAsync(stream, cancellationToken);
        return Math.Max(0, length - groups.Where(group => group.Name == RedisKeys.WorkerGroup).Sum(group => group.Pending));
    }
}
