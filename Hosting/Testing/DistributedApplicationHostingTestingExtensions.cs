using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Testing;

/// <summary>What a test asks a started application for.</summary>
public static class DistributedApplicationHostingTestingExtensions
{
    /// <summary>A client whose base address is an endpoint of the resource.</summary>
    /// <param name="endpointName">By default the resource's first HTTP endpoint.</param>
    public static HttpClient CreateHttpClient(this DistributedApplication app, string resourceName, string? endpointName = default)
    {
        ArgumentNullException.ThrowIfNull(app);
        var client = app.Services.GetRequiredService<IHttpClientFactory>().CreateClient();
        client.BaseAddress = app.GetEndpoint(resourceName, endpointName);
        return client;
    }

    /// <summary>Address of an endpoint.</summary>
    /// <param name="endpointName">By default the resource's first HTTP endpoint.</param>
    public static Uri GetEndpoint(this DistributedApplication app, string resourceName, string? endpointName = default)
    {
        var resource = Find<IResourceWithEndpoints>(app, resourceName);
        endpointName ??= ((Resource)resource).Endpoints.Find(e => e.Scheme == "http")?.Name ?? "http";
        return new Uri(new EndpointReference(resource, endpointName).Url);
    }

    /// <summary>Connection string of a server.</summary>
    public static ValueTask<string?> GetConnectionStringAsync(
        this DistributedApplication app, string resourceName, CancellationToken cancellationToken = default)
        => Find<IResourceWithConnectionString>(app, resourceName).GetConnectionStringAsync(cancellationToken);

    private static T Find<T>(DistributedApplication app, string resourceName)
    {
        ArgumentNullException.ThrowIfNull(app);
        return app.Resources.Where(r => string.Equals(r.Name, resourceName, StringComparison.OrdinalIgnoreCase)).OfType<T>().FirstOrDefault()
            ?? throw new ArgumentException(
                $"There is no resource '{resourceName}' that is an {typeof(T).Name} (there are: {string.Join(", ", app.Resources.Select(r => r.Name))}).", nameof(resourceName));
    }
}
