using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Redis as a resource.</summary>
public static class RedisBuilderExtensions
{
    /// <summary>Adds a Redis server that the host starts: redis-server or valkey-server of the PATH, else a container.</summary>
    /// <param name="port">Port on the loopback interface; null: a free one.</param>
    /// <remarks>It has a random password, keeps nothing on disk and ends with the host.</remarks>
    public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        // The length and alphabet are those of Aspire's generated passwords: safe in URIs, shells and connection strings.
        return builder.AddResource(new RedisResource(name, port, () => RandomNumberGenerator.GetString(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 22)));
    }
}
