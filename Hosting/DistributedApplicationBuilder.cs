using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

internal sealed class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    private readonly Func<DistributedApplicationBuilder, DistributedApplication>? _buildHook;
    private readonly DistributedApplicationEventing _eventing = new();
    private readonly List<Resource> _resources = [];

    /// <param name="appHost">The assembly whose entry point describes the application.</param>
    /// <param name="buildHook">Called instead of <see cref="BuildApplication"/>, by tests that run the entry point.</param>
    public DistributedApplicationBuilder(string[] args, Assembly? appHost, Func<DistributedApplicationBuilder, DistributedApplication>? buildHook)
    {
        _buildHook = buildHook;
        AppHostDirectory = appHost?.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == "apphostprojectpath")?.Value
            ?? Directory.GetCurrentDirectory();
        Configuration.SetBasePath(Directory.Exists(AppHostDirectory) ? AppHostDirectory : AppContext.BaseDirectory)
            .AddJsonFile("appsettings.json", optional: true, reloadOnChange: false)
            .AddEnvironmentVariables()
            .AddCommandLine(args);
    }

    public ConfigurationManager Configuration { get; } = new();

    public string AppHostDirectory { get; }

    public IServiceCollection Services { get; } = new ServiceCollection().AddLogging().AddHttpClient();

    public DistributedApplicationExecutionContext ExecutionContext { get; } = new();

    public IDistributedApplicationEventing Eventing => _eventing;

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
    {
        if (_resources.Exists(r => string.Equals(r.Name, resource.Name, StringComparison.OrdinalIgnoreCase)))
        {
            throw new DistributedApplicationException($"Two resources are called '{resource.Name}'; give one of them another name.");
        }

        _resources.Add((Resource)(object)resource);
        return new ResourceBuilder<T>(this, resource);
    }

    public DistributedApplication Build() => _buildHook is null ? BuildApplication(isTest: false) : _buildHook(this);

    /// <param name="isTest">A test starts and stops the application, and its entry point only waits for its end.</param>
    public DistributedApplication BuildApplication(bool isTest) => new(Configuration, Services, _resources, _eventing, isTest);
}
