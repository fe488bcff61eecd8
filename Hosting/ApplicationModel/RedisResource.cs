namespace Aspire.Hosting.ApplicationModel;

/// <summary>A Redis server that the host starts for this run; it listens on the loopback interface alone.</summary>
public sealed class RedisResource : Resource, IResourceWithConnectionString, IResourceWithEndpoints, IResourceWithWaitSupport
{
    private readonly Lazy<string> _password;

    internal RedisResource(string name, int? port, Func<string> password)
        : base(name)
    {
        _password = new Lazy<string>(password);
        Endpoint = new EndpointDescription("tcp", "redis", port);
        Endpoints.Add(Endpoint);
    }

    internal EndpointDescription Endpoint { get; }

    internal string Password => _password.Value;

    /// <inheritdoc />
    public ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default)
        => new($"localhost:{Port},password={Password}");

    /// <summary>The parts of the connection, as a service that references it gets them: HOST, PORT, PASSWORD, URI.</summary>
    internal IEnumerable<KeyValuePair<string, string>> ConnectionProperties()
    {
        yield return new("HOST", "localhost");
        yield return new("PORT", $"{Port}");
        yield return new("PASSWORD", Password);
        yield return new("URI", $"redis://:{Uri.EscapeDataString(Password)}@localhost:{Port}");
    }

    private int Port => Endpoint.Ports.Count > 0
        ? Endpoint.Ports[0]
        : throw new DistributedApplicationException($"Redis '{Name}' has no port yet; ask for its connection after the application has started.");
}
