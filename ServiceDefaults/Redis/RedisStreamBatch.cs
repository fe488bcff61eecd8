namespace Fastgen.ServiceDefaults.Redis;

/// <summary>What one read returned of one stream.</summary>
/// <param name="Key">The stream.</param>
/// <param name="Entries">Its entries, oldest first.</param>
public readonly record struct RedisStreamBatch(string Key, RedisStreamEntry[] Entries);
