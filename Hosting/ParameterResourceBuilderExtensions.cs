using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting;

/// <summary>Values and servers from outside as resources.</summary>
public static class ParameterResourceBuilderExtensions
{
    /// <summary>Adds a parameter whose value <paramref name="valueGetter"/> tells when it is needed.</summary>
    /// <param name="publishValueAsDefault">Whether publishing writes the value down; without effect in this host.</param>
    /// <param name="secret">Whether the value must not be shown.</param>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, Func<string> valueGetter, bool publishValueAsDefault = false, bool secret = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(valueGetter);
        return builder.AddResource(new ParameterResource(name, valueGetter, secret));
    }

    /// <summary>Adds a server that is there already; its connection string is ConnectionStrings:<paramref name="name"/> of the configuration.</summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(this IDistributedApplicationBuilder builder, string name)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddResource(new ConnectionStringResource(name, () => builder.Configuration.GetConnectionString(name)));
    }
}
