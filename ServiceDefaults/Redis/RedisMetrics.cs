using System.Diagnostics.Metrics;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>What the Redis client counts, under the meter <see cref="MeterName"/>.</summary>
public static class RedisMetrics
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "Fastgen.Redis";

    private static readonly Meter Meter = new(MeterName);

    internal static Counter<long> Connects { get; } = Meter.CreateCounter<long>("fastgen.redis.connects", "{connection}", "Connections made, first ones and repeated ones.");

    internal static Counter<long> Faults { get; } = Meter.CreateCounter<long>("fastgen.redis.faults", "{connection}", "Connections that broke, time-outs included.");
}
