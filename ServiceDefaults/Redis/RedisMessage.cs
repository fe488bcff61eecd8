namespace Fastgen.ServiceDefaults.Redis;

/// <summary>A pub/sub message.</summary>
/// <param name="Channel">Where it was published.</param>
/// <param name="Payload">What was published.</param>
public readonly record struct RedisMessage(string Channel, ReadOnlyMemory<byte> Payload);
