namespace Fastgen.ServiceDefaults.Redis;

/// <summary>What a reply may cost. A server that exceeds one of these is cut off with a <see cref="RedisProtocolException"/>.</summary>
public sealed record RedisLimits
{
    /// <summary>Longest bulk string, in bytes.</summary>
    public int MaxBulkBytes { get; init; } = 64 << 20;

    /// <summary>Most items of one array, set or push; a map may have half as many pairs.</summary>
    public int MaxItems { get; init; } = 1 << 20;

    /// <summary>Deepest nesting of arrays, maps and sets.</summary>
    public int MaxDepth { get; init; } = 32;

    /// <summary>Longest line: simple strings, errors, numbers, in bytes.</summary>
    public int MaxLineBytes { get; init; } = 64 << 10;

    /// <summary>Largest whole reply, counted in bytes received plus 24 for each item.</summary>
    public long MaxReplyBytes { get; init; } = 256L << 20;

    /// <summary>Most bytes of commands that may wait to be sent on one connection before further ones are refused.</summary>
    public int MaxUnsentBytes { get; init; } = 64 << 20;
}
