namespace Fastgen.ServiceDefaults.Redis;

/// <summary>A consumer group, as XINFO GROUPS reports it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Consumers">Consumers it knows.</param>
/// <param name="Pending">Entries given out and not acknowledged.</param>
/// <param name="LastDeliveredId">Newest entry given out.</param>
/// <param name="Lag">Entries not given out yet; null where the server cannot tell (before Redis 7, or after deletions).</param>
public readonly record struct RedisStreamGroup(string Name, long Consumers, long Pending, string LastDeliveredId, long? Lag);
