namespace Aspire.Hosting.ApplicationModel;

/// <summary>Refers to an endpoint of a resource, also before its port is known.</summary>
public sealed class EndpointReference
{
    private readonly EndpointDescription _endpoint;

    internal EndpointReference(IResourceWithEndpoints owner, string endpointName)
    {
        Resource = owner;
        var endpoints = ((Resource)owner).Endpoints;
        _endpoint = endpoints.Find(e => string.Equals(e.Name, endpointName, StringComparison.OrdinalIgnoreCase))
            ?? throw new DistributedApplicationException(
                $"Resource '{owner.Name}' has no endpoint '{endpointName}' (it has: {string.Join(", ", endpoints.Select(e => e.Name))}); add it by WithHttpEndpoint.");
    }

    /// <summary>The resource that listens there.</summary>
    public IResourceWithEndpoints Resource { get; }

    /// <summary>Name of the endpoint.</summary>
    public string EndpointName => _endpoint.Name;

    /// <summary>Scheme, host and port; of a replicated resource, those of its first replica.</summary>
    /// <exception cref="DistributedApplicationException">The application has not started, so no port is known.</exception>
    public string Url => _endpoint.Ports.Count > 0
        ? _endpoint.UrlOf(0)
        : throw new DistributedApplicationException(
            $"Endpoint '{EndpointName}' of '{Resource.Name}' has no port yet; ask for its address after the application has started.");
}
