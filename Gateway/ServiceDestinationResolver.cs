using Fastgen.ServiceDefaults;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.ServiceDiscovery;

namespace Fastgen.Gateway;

/// <summary>
/// Finds the addresses of destinations that name a service, such as <c>http://worker</c>: one destination for each
/// replica that the configuration knows. Other addresses are taken as they are.
/// </summary>
internal sealed class ServiceDestinationResolver(IConfiguration configuration) : IDestinationResolver
{
    public ValueTask<ResolvedDestinationCollection> ResolveDestinationsAsync(IReadOnlyDictionary<string, DestinationConfig> destinations, CancellationToken cancellationToken)
    {
        var resolved = new Dictionary<string, DestinationConfig>(StringComparer.OrdinalIgnoreCase);
        foreach ((string name, DestinationConfig destination) in destinations)
        {
            var address = new Uri(destination.Address, UriKind.Absolute);
            IReadOnlyList<Uri> replicas = ServiceEndpoints.ResolveAll(configuration, address.Host, address.Scheme);
            if (replicas.Count == 0)
            {
                resolved[name] = destination;
            }

            for (int i = 0; i < replicas.Count; i++)
            {
                resolved[$"{name}-{i}"] = destination with { Address = new Uri(replicas[i], address.PathAndQuery).ToString() };
            }
        }

        return ValueTask.FromResult(new ResolvedDestinationCollection(resolved, null));
    }
}
