using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

/// <summary>Tests of a client with a server of their own.</summary>
public abstract class RedisServerTests : IAsyncLifetime
{
    private RedisServer? _server;
    private RedisClient? _redis;

    internal RedisServer Server => _server!;

    /// <summary>A client that waits long enough for any machine.</summary>
    internal RedisClient Redis => _redis!;

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _redis = new RedisClient(_server.Options with { CommandTimeout = Eventually.Limit });
    }

    public async ValueTask DisposeAsync()
    {
        await Redis.DisposeAsync();
        await Server.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
