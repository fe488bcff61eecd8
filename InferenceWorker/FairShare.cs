using Fastgen.Contracts;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.InferenceWorker;

/// <summary>Keeps workers of a model about equally busy: each says in Redis how many sequences it has, and who has more than another leaves
/// the next requests to that one for a moment.</summary>
/// <remarks>Without it chance decides who reads faster, and on a machine that workers share the busier one can keep winning: 85 to 15 was seen.</remarks>
internal sealed class FairShare(RedisClient redis, RunningRequests requests, WorkerOptions options, WorkerIdentity identity, ILogger<FairShare> logger)
{
    // A worker that has said nothing for so long is not waited for.
    private const int FreshMs = 3000;

    // Says the own load, and takes at once what of the waiting requests is this worker's share: asking and reading apart would be two
    // round trips for each handful of requests. Returns the share, and for each stream the entries taken. KEYS: hash, request streams.
    // ARGV: own id, own load, load of who has no room, age in ms that still counts, room, lead, fewest to take, group.
    private static readonly RedisScript TellAndTake = new("""
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local mine, age, room = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
        redis.call('HSET', KEYS[1], ARGV[1], (room > 0 and ARGV[2] or ARGV[3]) .. ' ' .. string.format('%.0f', now))
        redis.call('PEXPIRE', KEYS[1], 20 * age)
        local all = redis.call('HGETALL', KEYS[1])
        local others, least, sum, entries = 0, 0, 0, 0
        for i = 1, #all, 2 do
          if all[i] ~= ARGV[1] then
            local load, at = string.match(all[i + 1], '^(%d+) (%d+)$')
            if not load or now - tonumber(at) > 20 * age then
              redis.call('HDEL', KEYS[1], all[i])
            elseif now - tonumber(at) <= age and load ~= ARGV[3] then
              least = others == 0 and tonumber(load) or math.min(least, tonumber(load))
              sum = sum + tonumber(load)
              others = others + 1
            end
          end
        end
        for i = 2, #KEYS do
          entries = entries + redis.call('XLEN', KEYS[i])
        end
        local share = room
        if others > 0 then
          share = math.floor((math.max(entries, mine + sum) + others) / (others + 1))
          share = math.min(math.max(share, least + tonumber(ARGV[6])) - mine, room)
        end
        local left = math.max(share, tonumber(ARGV[7]))
        local taken = {share}
        for i = 2, #KEYS do
          taken[i] = {}
          if left > 0 then
            local read = redis.pcall('XREADGROUP', 'GROUP', ARGV[8], ARGV[1], 'COUNT', left, 'STREAMS', KEYS[i], '>')
            if read and read.err then
              return redis.error_reply(read.err)
            end
            if read then
              taken[i] = read[1][2]
              left = left - #taken[i]
            end
          end
        end
        return taken
        """);

    // Only who takes requests tells: after the sign-off the last requests still end, and nobody shall wait for this worker again,
    // nor a hash be left that never expires. KEYS: hash. ARGV: own id, own load.
    private static readonly RedisScript Tell = new("""
        if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
          return
        end
        local time = redis.call('TIME')
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
        """);

    // Who has no room is not waited for, however few sequences it has.
    private const int Full = int.MaxValue;

    // So few more than the least busy one has, that workers who ask at the same moment get about as many each.
    private const int Lead = 2;

    private readonly string[] _streams = [.. Enum.GetValues<PriorityClass>().Select(priority => RedisKeys.Requests(options.ModelName, priority))];
    private readonly string _loads = RedisKeys.Loads(options.ModelName);

    /// <summary>Tells the own load and takes waiting requests without waiting for any.</summary>
    /// <param name="room">Sequences that the engine can take.</param>
    /// <param name="takesBeyondShare">Take one even when this worker has more than its share.</param>
    /// <returns>How many sequences this worker might take before another should, at most <paramref name="room"/> and below 1 when it has
    /// more than its share; and what it has taken, of the streams of higher priority first.</returns>
    /// <exception cref="RedisException">NOGROUP where the streams have no group of workers yet; or Redis does not answer.</exception>
    public async Task<(int Share, RedisStreamBatch[] Taken)> TakeAsync(int room, bool takesBeyondShare, CancellationToken cancellationToken)
    {
        RespValue reply = await redis.EvalAsync(
            TellAndTake, [_loads, .. _streams], [identity.Id, requests.Sequences, Full, FreshMs, room, Lead, room > 0 && takesBeyondShare ? 1 : 0, RedisKeys.WorkerGroup], cancellationToken);
        var taken = new List<RedisStreamBatch>(_streams.Length);
        for (int i = 0; i < _streams.Length; i++)
        {
            RespValue entries = reply.Items[i + 1];
            if (entries.Items.Length > 0)
            {
                taken.Add(new RedisStreamBatch(_streams[i], RedisStreamEntry.ReadAll(entries)));
            }
        }

        return ((int)Math.Max(int.MinValue, reply.Items[0].AsInt64()), [.. taken]);
    }

    /// <summary>Tells the others that this worker has become less busy. Returns at once.</summary>
    public void TellSoon() => _ = TellAsync();

    /// <summary>Nobody shall wait for this worker any more.</summary>
    public async Task SignOffAsync() => await redis.ExecuteAsync("HDEL", _loads, identity.Id);

    private async Task TellAsync()
    {
        try
        {
            await redis.EvalAsync(Tell, [_loads], [identity.Id, requests.Sequences]);
        }
        catch (RedisException e)
        {
            logger.LogDebug("The load could not be told: {Message}", e.Message);
        }
        catch (ObjectDisposedException)
        {
            // The process ends.
        }
    }
}
