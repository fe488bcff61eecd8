using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

/// <summary>Describes an application: its resources, their order and their configuration.</summary>
public interface IDistributedApplicationBuilder
{
    /// <summary>appsettings.json of the app host, environment variables and command line, the later winning.</summary>
    ConfigurationManager Configuration { get; }

    /// <summary>Folder of the app host's project.</summary>
    string AppHostDirectory { get; }

    /// <summary>Services of the host itself (logging, HTTP clients of tests), not of the resources.</summary>
    IServiceCollection Services { get; }

    /// <summary>Run mode or publish mode.</summary>
    DistributedApplicationExecutionContext ExecutionContext { get; }

    /// <summary>Events in the life of the resources.</summary>
    IDistributedApplicationEventing Eventing { get; }

    /// <summary>Adds <paramref name="resource"/> to the application.</summary>
    /// <exception cref="DistributedApplicationException">Another resource has the same name.</exception>
    IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource;

    /// <summary>Ends the description.</summary>
    DistributedApplication Build();
}
