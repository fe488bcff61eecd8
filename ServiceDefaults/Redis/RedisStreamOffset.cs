namespace Fastgen.ServiceDefaults.Redis;

/// <summary>A stream and where to go on reading it.</summary>
/// <param name="Key">The stream.</param>
/// <param name="After">
/// XREAD: the last id already seen, <c>0</c> for all, <c>$</c> for what comes from now on. XREADGROUP: <c>&gt;</c> for
/// entries that no consumer was given yet, or an id for the consumer's own pending entries after it.
/// </param>
public readonly record struct RedisStreamOffset(string Key, string After);
