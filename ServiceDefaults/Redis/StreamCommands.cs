namespace Fastgen.ServiceDefaults.Redis;

/// <summary>The stream reads, which exist with and without BLOCK.</summary>
internal static class StreamCommands
{
    public static RedisCommand ReadGroup(RedisCommandPool pool, string group, string consumer, int count, TimeSpan? block, ReadOnlySpan<RedisStreamOffset> streams)
    {
        RedisCommand command = pool.Begin(7 + (block is null ? 0 : 2) + (2 * streams.Length)).Add("XREADGROUP").Add("GROUP").Add(group).Add(consumer).Add("COUNT").Add(count);
        return Finish(command, block, streams);
    }

    public static RedisCommand Read(RedisCommandPool pool, int count, TimeSpan? block, ReadOnlySpan<RedisStreamOffset> streams)
    {
        RedisCommand command = pool.Begin(4 + (block is null ? 0 : 2) + (2 * streams.Length)).Add("XREAD").Add("COUNT").Add(count);
        return Finish(command, block, streams);
    }

    private static RedisCommand Finish(RedisCommand command, TimeSpan? block, ReadOnlySpan<RedisStreamOffset> streams)
    {
        if (block is { } time)
        {
            // BLOCK 0 would wait for ever, which no call of ours does.
            command.Add("BLOCK").Add(Math.Max(1, (long)time.TotalMilliseconds));
        }

        command.Add("STREAMS");
        foreach (RedisStreamOffset stream in streams)
        {
            command.Add(stream.Key);
        }

        foreach (RedisStreamOffset stream in streams)
        {
            command.Add(stream.After);
        }

        return command;
    }
}
