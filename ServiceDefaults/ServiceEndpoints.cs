using Microsoft.Extensions.Configuration;

namespace Fastgen.ServiceDefaults;

/// <summary>
/// Addresses of other services, from the configuration that Aspire injects:
/// <c>services__{name}__{scheme or endpoint}__{n}</c>.
/// </summary>
public static class ServiceEndpoints
{
    /// <summary>All addresses of a service, in the order of their numbers; empty when none is configured.</summary>
    /// <param name="endpoint">Scheme (<c>http</c>, <c>https</c>) or name of the endpoint.</param>
    /// <exception cref="FormatException">One of them is not an absolute URI.</exception>
    public static IReadOnlyList<Uri> ResolveAll(IConfiguration configuration, string service, string endpoint = "http")
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentException.ThrowIfNullOrEmpty(service);
        ArgumentException.ThrowIfNullOrEmpty(endpoint);
        IConfigurationSection section = configuration.GetSection($"services:{service}:{endpoint}");
        return [.. section.GetChildren().Where(child => !string.IsNullOrEmpty(child.Value)).Select(Parse)];
    }

    /// <summary>The first address of a service, or null when none is configured.</summary>
    /// <param name="endpoint">Scheme (<c>http</c>, <c>https</c>) or name of the endpoint.</param>
    /// <exception cref="FormatException">It is not an absolute URI.</exception>
    public static Uri? Resolve(IConfiguration configuration, string service, string endpoint = "http")
    {
        IReadOnlyList<Uri> all = ResolveAll(configuration, service, endpoint);
        return all.Count > 0 ? all[0] : null;
    }

    private static Uri Parse(IConfigurationSection section) =>
        Uri.TryCreate(section.Value, UriKind.Absolute, out Uri? uri) && uri.Host.Length > 0
            ? uri
            : throw new FormatException($"{section.Path} is '{section.Value}', which is not an absolute URI such as http://localhost:8080.");
}
