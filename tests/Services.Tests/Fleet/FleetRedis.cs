using System.Globalization;
using Fastgen.Services.Tests.Redis;

namespace Fastgen.Services.Tests.Fleet;

/// <summary>One redis-server for the tests of gateways and workers; each fleet has a database of its own in it.</summary>
public sealed class FleetRedis : IAsyncLifetime
{
    private const int Databases = 100;

    private RedisServer? _server;
    private int _used;

    public async ValueTask InitializeAsync() =>
        _server = await RedisServer.StartAsync("--databases", Databases.ToString(CultureInfo.InvariantCulture), "--save", "");

    public ValueTask DisposeAsync() => _server!.DisposeAsync();

    /// <summary>The connection string of a database that no other test has seen.</summary>
    internal string NextDatabase()
    {
        Assert.True(_used < Databases, "There are more fleets than databases; raise Databases.");
        return $"127.0.0.1:{_server!.Port},defaultDatabase={_used++}";
    }
}
