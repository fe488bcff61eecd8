namespace Fastgen.ServiceDefaults.Redis;

/// <summary>An entry that was given to a consumer and not acknowledged.</summary>
/// <param name="Id">The entry.</param>
/// <param name="Consumer">Who has it.</param>
/// <param name="IdleMs">Milliseconds since it was last given out.</param>
/// <param name="Deliveries">How often it was given out.</param>
public readonly record struct RedisPendingEntry(string Id, string Consumer, long IdleMs, long Deliveries);
