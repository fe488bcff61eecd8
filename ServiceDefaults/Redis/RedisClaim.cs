namespace Fastgen.ServiceDefaults.Redis;

/// <summary>The reply of XAUTOCLAIM.</summary>
/// <param name="NextStart">Where to go on; <c>0-0</c> when the whole list has been looked at.</param>
/// <param name="Entries">Entries that are now ours.</param>
/// <param name="DeletedIds">Pending entries that no longer exist; the server has dropped them from the list (Redis 7).</param>
public readonly record struct RedisClaim(string NextStart, RedisStreamEntry[] Entries, string[] DeletedIds);
