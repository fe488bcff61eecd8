namespace Fastgen.ServiceDefaults.Redis;

public sealed partial class RedisClient
{
    /// <summary>XADD.</summary>
    /// <param name="fieldsAndValues">Fields and values in turn.</param>
    /// <param name="maxLength">Trims the stream to about so many entries (<c>MAXLEN ~</c>).</param>
    /// <param name="onlyIfExists">NOMKSTREAM: does nothing where there is no such stream.</param>
    /// <param name="id">The entry's id; <c>*</c> lets the server choose.</param>
    /// <returns>The id, or null when <paramref name="onlyIfExists"/> and there is no such stream.</returns>
    public ValueTask<string?> XAddAsync(string key, ReadOnlySpan<RedisArg> fieldsAndValues, long? maxLength = null, bool onlyIfExists = false, string id = "*", CancellationToken cancellationToken = default)
    {
        RequirePairs(fieldsAndValues);
        RedisCommand command = Begin(3 + fieldsAndValues.Length + (onlyIfExists ? 1 : 0) + (maxLength is null ? 0 : 3)).Add("XADD").Add(key);
        if (onlyIfExists)
        {
            command.Add("NOMKSTREAM");
        }

        if (maxLength is { } length)
        {
            command.Add("MAXLEN").Add("~").Add(length);
        }

        command.Add(id);
        foreach (RedisArg part in fieldsAndValues)
        {
            command.Add(part);
        }

        return SendForString(command, cancellationToken);
    }

    /// <summary>XREADGROUP without BLOCK; see <see cref="RedisBlockingConnection.XReadGroupAsync"/> for the one that waits.</summary>
    public ValueTask<RedisStreamBatch[]> XReadGroupAsync(string group, string consumer, int count, ReadOnlySpan<RedisStreamOffset> streams, CancellationToken cancellationToken = default) =>
        Convert(Send(StreamCommands.ReadGroup(_link.Commands, group, consumer, count, null, streams), cancellationToken), RedisStreamEntry.ReadStreams);

    /// <summary>XREAD without BLOCK; see <see cref="RedisBlockingConnection.XReadAsync"/> for the one that waits.</summary>
    public ValueTask<RedisStreamBatch[]> XReadAsync(int count, ReadOnlySpan<RedisStreamOffset> streams, CancellationToken cancellationToken = default) =>
        Convert(Send(StreamCommands.Read(_link.Commands, count, null, streams), cancellationToken), RedisStreamEntry.ReadStreams);

    /// <summary>XACK.</summary>
    /// <returns>How many were pending.</returns>
    public ValueTask<long> XAckAsync(string key, string group, ReadOnlySpan<string> ids, CancellationToken cancellationToken = default) =>
        SendForInt64(AddAll(Begin(3 + ids.Length).Add("XACK").Add(key).Add(group), ids), cancellationToken);

    /// <summary>XDEL.</summary>
    /// <returns>How many there were.</returns>
    public ValueTask<long> XDelAsync(string key, ReadOnlySpan<string> ids, CancellationToken cancellationToken = default) =>
        SendForInt64(AddAll(Begin(2 + ids.Length).Add("XDEL").Add(key), ids), cancellationToken);

    /// <summary>XLEN: 0 where there is no such stream.</summary>
    public ValueTask<long> XLenAsync(string key, CancellationToken cancellationToken = default) => SendForInt64(Begin(2).Add("XLEN").Add(key), cancellationToken);

    /// <summary>XAUTOCLAIM: takes over entries that another consumer has left alone for a time.</summary>
    public ValueTask<RedisClaim> XAutoClaimAsync(string key, string group, string consumer, TimeSpan minIdle, string start = "0-0", int count = 100, CancellationToken cancellationToken = default)
    {
        RedisCommand command = Begin(8).Add("XAUTOCLAIM").Add(key).Add(group).Add(consumer).Add((long)minIdle.TotalMilliseconds).Add(start).Add("COUNT").Add(count);
        return Convert(Send(command, cancellationToken), static r =>
            new RedisClaim(r.Items[0].AsString()!, RedisStreamEntry.ReadAll(r.Items[1]), r.Items.Length > 2 ? Strings(r.Items[2]) : []));
    }

    /// <summary>XPENDING with a range: entries given out and not acknowledged, oldest first.</summary>
    public ValueTask<RedisPendingEntry[]> XPendingAsync(string key, string group, int count, string? consumer = null, TimeSpan minIdle = default, string start = "-", string end = "+", CancellationToken cancellationToken = default)
    {
        RedisCommand command = Begin(consumer is null ? 8 : 9).Add("XPENDING").Add(key).Add(group).Add("IDLE").Add((long)minIdle.TotalMilliseconds).Add(start).Add(end).Add(count);
        if (consumer is not null)
        {
            command.Add(consumer);
        }

        return Convert(Send(command, cancellationToken), static r =>
        {
            var entries = new RedisPendingEntry[r.Items.Length];
            for (int i = 0; i < entries.Length; i++)
            {
                ReadOnlySpan<RespValue> parts = r.Items[i].Items;
                entries[i] = new RedisPendingEntry(parts[0].AsString()!, parts[1].AsString()!, parts[2].AsInt64(), parts[3].AsInt64());
            }

            return entries;
        });
    }

    /// <summary>XINFO GROUPS.</summary>
    public ValueTask<RedisStreamGroup[]> XInfoGroupsAsync(string key, CancellationToken cancellationToken = default) =>
        Convert(Send(Begin(3).Add("XINFO").Add("GROUPS").Add(key), cancellationToken), static r =>
        {
            var groups = new RedisStreamGroup[r.Items.Length];
            for (int i = 0; i < groups.Length; i++)
            {
                RespValue group = r.Items[i];
                long? lag = group.TryGetField("lag"u8, out RespValue value) && !value.IsNull ? value.AsInt64() : null;
                groups[i] = new RedisStreamGroup(group.Field("name"u8).AsString()!, group.Field("consumers"u8).AsInt64(), group.Field("pending"u8).AsInt64(), group.Field("last-delivered-id"u8).AsString()!, lag);
            }

            return groups;
        });

    /// <summary>XGROUP CREATE MKSTREAM; that the group is there already is no error.</summary>
    /// <param name="after">The first entries given out are those after this id: <c>0</c> for all, <c>$</c> for new ones.</param>
    /// <returns>True when the group is new.</returns>
    public async Task<bool> XGroupCreateAsync(string key, string group, string after = "0", CancellationToken cancellationToken = default)
    {
        try
        {
            await Send(Begin(6).Add("XGROUP").Add("CREATE").Add(key).Add(group).Add(after).Add("MKSTREAM"), cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RedisServerException e) when (e.Code == "BUSYGROUP")
        {
            return false;
        }
    }

    /// <summary>XGROUP DELCONSUMER. What it had pending is lost to the group: claim it first.</summary>
    /// <returns>How many entries it had pending.</returns>
    public ValueTask<long> XGroupDelConsumerAsync(string key, string group, string consumer, CancellationToken cancellationToken = default) =>
        SendForInt64(Begin(5).Add("XGROUP").Add("DELCONSUMER").Add(key).Add(group).Add(consumer), cancellationToken);

    private static RedisCommand AddAll(RedisCommand command, ReadOnlySpan<string> words)
    {
        foreach (string word in words)
        {
            command.Add(word);
        }

        return command;
    }

    private static string[] Strings(RespValue array)
    {
        var strings = new string[array.Items.Length];
        for (int i = 0; i < strings.Length; i++)
        {
            strings[i] = array.Items[i].AsString()!;
        }

        return strings;
    }
}
