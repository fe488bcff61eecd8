using Fastgen.Contracts;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.InferenceWorker;

/// <summary>Keeps this worker's entries from being taken, and takes those of dead workers.</summary>
internal sealed class EntryKeeper(RedisClient redis, RunningRequests requests, RequestRunner runner, WorkerOptions options, WorkerIdentity identity)
{
    private const int EntriesPerClaim = 256;

    // So often in the time after which a dead worker is forgotten is looked for one.
    private const int LooksPerForgetting = 5;

    // One script, so that nothing becomes pending between the look and the removal. KEYS: stream. ARGV: group, own name, idle ms.
    private static readonly RedisScript ForgetDead = new("""
        local consumers = redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
        local forgotten = 0
        for _, fields in ipairs(consumers) do
          local consumer = {}
          for i = 1, #fields, 2 do
            consumer[fields[i]] = fields[i + 1]
          end
          if consumer['name'] ~= ARGV[2] and consumer['pending'] == 0 and consumer['idle'] > tonumber(ARGV[3]) then
            redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
            forgotten = forgotten + 1
          end
        end
        return forgotten
        """);

    private readonly Dictionary<string, long> _forgotMs = [];

    // Touches the entries that are still this consumer's, and returns the others. KEYS: stream. ARGV: group, consumer, ids.
    private static readonly RedisScript Touch = new("""
        local lost = {}
        for i = 3, #ARGV do
          local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
          if #pending == 0 or pending[1][2] ~= ARGV[2]
             or #redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID') == 0 then
            lost[#lost + 1] = ARGV[i]
          end
        end
        return lost
        """);

    /// <summary>Tells Redis that the requests are being worked on; ends those that were cancelled or are another's now.</summary>
    public async Task TouchAsync()
    {
        foreach (IGrouping<string, RunningRequest> stream in requests.All.GroupBy(request => request.Stream))
        {
            RunningRequest[] held = [.. stream];
            RedisArg[] args = [RedisKeys.WorkerGroup, identity.Id, .. held.Select(request => (RedisArg)request.EntryId)];
            try
            {
                RespValue lost = await redis.EvalAsync(Touch, [stream.Key], args);
                var ids = new HashSet<string>();
                foreach (RespValue id in lost.Items)
                {
                    ids.Add(id.AsString()!);
                }

                foreach (RunningRequest request in held.Where(request => ids.Contains(request.EntryId)))
                {
                    request.Stop(StopReason.Lost);
                }
            }
            catch (RedisServerException e) when (e.Code == "NOGROUP")
            {
                // Redis has lost everything; the gateways submit anew what they still wait for.
                foreach (RunningRequest request in held)
                {
                    request.Stop(StopReason.Lost);
                }
            }
        }
    }

    /// <summary>Takes entries of workers that have been silent for too long, and gives them back to their gateways.</summary>
    public async Task ClaimAsync(LoadedModel model)
    {
        foreach (string stream in model.RequestStreams)
        {
            RedisClaim claim = await redis.XAutoClaimAsync(stream, RedisKeys.WorkerGroup, identity.Id, TimeSpan.FromMilliseconds(options.DeadAfterMs), count: EntriesPerClaim);
            foreach (RedisStreamEntry entry in claim.Entries)
            {
                runner.Release(stream, entry);
            }

            await ForgetDeadAsync(stream);
        }
    }

    /// <summary>Takes consumers that are no more out of the group. Never one with pending entries: those would be lost with it.</summary>
    private async Task ForgetDeadAsync(string stream)
    {
        long now = Environment.TickCount64;
        if (_forgotMs.TryGetValue(stream, out long last) && now - last < options.ForgetAfterMs / LooksPerForgetting)
        {
            return;
        }

        _forgotMs[stream] = now;
        await redis.EvalAsync(ForgetDead, [stream], [RedisKeys.WorkerGroup, identity.Id, options.ForgetAfterMs]);
    }
}
