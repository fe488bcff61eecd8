namespace Aspire.Hosting.ApplicationModel;

/// <summary>A server that is there already, named by its connection string.</summary>
public sealed class ConnectionStringResource : Resource, IResourceWithConnectionString
{
    private readonly Func<string?> _connectionString;

    internal ConnectionStringResource(string name, Func<string?> connectionString)
        : base(name) => _connectionString = connectionString;

    /// <inheritdoc />
    /// <exception cref="DistributedApplicationException">Configuration has no such connection string.</exception>
    public ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default)
        => _connectionString() is { Length: > 0 } value
            ? new(value)
            : throw new DistributedApplicationException(
                $"Configuration has no connection string '{Name}'; set ConnectionStrings__{Name}=host:port,password=... in the environment.");
}
