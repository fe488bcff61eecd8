namespace Fastgen.Gateway;

/// <summary>The name of this process among the gateways, unique over restarts.</summary>
internal sealed class GatewayIdentity
{
    public string Id { get; } = $"{Environment.MachineName.ToLowerInvariant()}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";
}
