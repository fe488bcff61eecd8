using Fastgen.Contracts;
using Fastgen.Engine;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.InferenceWorker;

/// <summary>Asks Redis for requests, as long as the engine has room for more.</summary>
internal sealed class RequestPuller(RedisClient redis, RunningRequests requests, RequestRunner runner, FairShare share, WorkerState state, WorkerOptions options, WorkerIdentity identity, ILogger<RequestPuller> logger)
{
    // So often who has more lets the others go first; what is left then is taken all the same.
    private const int Patience = 4;

    private static readonly TimeSpan BlockTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RoomPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan FailurePause = TimeSpan.FromMilliseconds(250);

    private int _yielded;

    /// <summary>Sequences that the engine can take without making others wait.</summary>
    public int Room(LoadedModel model)
    {
        EngineStatistics now = model.Engine.Statistics;
        // Blocks of running sequences still grow; a reserve keeps them from being preempted for newcomers.
        bool hasBlocks = now.FreeBlocks > now.TotalBlocks / 16;
        return now.IsFaulted || !hasBlocks || now.WaitingSequences > 0 ? 0 : options.Engine.MaxRunningSequences - requests.Sequences;
    }

    public async Task RunAsync(LoadedModel model, ReplyPump pump, CancellationToken stopping)
    {
        await using RedisBlockingConnection connection = redis.OpenBlocking($"worker-{identity.Id}-pull");
        RedisStreamOffset[] streams = [.. model.RequestStreams.Select(stream => new RedisStreamOffset(stream, ">"))];
        bool hasGroups = false;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (!hasGroups)
                {
                    await CreateGroupsAsync(model, stopping);
                    hasGroups = true;
                    state.IsPulling = true;
                }

                await PullAsync(connection, model, pump, streams, stopping);
            }
            catch (RedisServerException e) when (e.Code is "NOGROUP" or "UNBLOCKED")
            {
                // Redis was emptied or restarted without its data.
                hasGroups = false;
            }
            catch (RedisException e)
            {
                state.IsPulling = false;
                hasGroups = false;
                logger.LogWarning("Requests cannot be taken: {Message}", e.Message);
                await Task.Delay(FailurePause, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
        }

        state.IsPulling = false;
    }

    private async Task PullAsync(RedisBlockingConnection connection, LoadedModel model, ReplyPump pump, RedisStreamOffset[] streams, CancellationToken stopping)
    {
        int room = Room(model);
        bool isPatient = _yielded < Patience;
        (int wanted, RedisStreamBatch[] batches) = await share.TakeAsync(room, takesBeyondShare: !isPatient, stopping);
        if (batches.Length > 0)
        {
            _yielded = 0;
            Start(pump, batches);
            return;
        }

        // Who has more than another does not wait for requests, or would be given the next one; it only looks for what was left.
        if (room <= 0 || wanted <= 0)
        {
            _yielded = wanted <= 0 && isPatient ? _yielded + 1 : 0;
            await Task.Delay(RoomPause, stopping);
            return;
        }

        _yielded = 0;
        Start(pump, await connection.XReadGroupAsync(RedisKeys.WorkerGroup, identity.Id, wanted, BlockTime, streams, stopping));
    }

    private void Start(ReplyPump pump, RedisStreamBatch[] batches)
    {
        foreach (RedisStreamBatch batch in batches)
        {
            foreach (RedisStreamEntry entry in batch.Entries)
            {
                runner.Start(pump, batch.Key, entry);
            }
        }
    }

    private async Task CreateGroupsAsync(LoadedModel model, CancellationToken stopping)
    {
        foreach (string stream in model.RequestStreams)
        {
            await redis.XGroupCreateAsync(stream, RedisKeys.WorkerGroup, cancellationToken: stopping);
        }
    }
}
