namespace Fastgen.ServiceDefaults.Redis;

/// <summary>One entry of a stream.</summary>
/// <param name="Id">Its id, <c>milliseconds-sequence</c>.</param>
/// <param name="Fields">Fields and values in turn; null when the entry was deleted while it was pending.</param>
public readonly record struct RedisStreamEntry(string Id, RespValue Fields)
{
    /// <summary>True when only the id is left, since the entry was deleted or trimmed while it was pending.</summary>
    public bool IsDeleted => Fields.IsNull;

    /// <summary>Bytes of a field.</summary>
    /// <returns>False when the entry has no such field.</returns>
    public bool TryGet(ReadOnlySpan<byte> field, out ReadOnlyMemory<byte> value)
    {
        bool found = Fields.TryGetField(field, out RespValue reply);
        value = found ? reply.AsBytes() : default;
        return found;
    }

    /// <summary>Bytes of a field that has to be there.</summary>
    /// <exception cref="RedisProtocolException">The entry has no such field.</exception>
    public ReadOnlyMemory<byte> this[ReadOnlySpan<byte> field] => Fields.Field(field).AsBytes();

    /// <summary>Reads the entries of one stream as XRANGE gives them, or a script that hands them on.</summary>
    public static RedisStreamEntry[] ReadAll(RespValue entries)
    {
        ReadOnlySpan<RespValue> items = entries.Items;
        var read = new List<RedisStreamEntry>(items.Length);
        foreach (RespValue item in items)
        {
            // XAUTOCLAIM of Redis 6 reports a deleted entry as a null.
            if (!item.IsNull)
            {
                read.Add(new RedisStreamEntry(item.Items[0].AsString()!, item.Items[1]));
            }
        }

        return [.. read];
    }

    /// <summary>Reads the reply of XREAD and XREADGROUP: a map from stream to entries, or a null after a time-out.</summary>
    internal static RedisStreamBatch[] ReadStreams(RespValue reply)
    {
        ReadOnlySpan<RespValue> items = reply.Items;
        var streams = new RedisStreamBatch[items.Length / 2];
        for (int i = 0; i < streams.Length; i++)
        {
            streams[i] = new RedisStreamBatch(items[2 * i].AsString()!, ReadAll(items[(2 * i) + 1]));
        }

        return streams;
    }
}
