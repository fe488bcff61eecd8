using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Testing;

/// <param name="run">The entry point that waits for the build; null when the test describes the application itself.</param>
internal sealed class TestingBuilder(DistributedApplicationBuilder builder, EntryPointRun? run) : IDistributedApplicationTestingBuilder
{
    public ConfigurationManager Configuration => builder.Configuration;

    public string AppHostDirectory => builder.AppHostDirectory;

    public IServiceCollection Services => builder.Services;

    public DistributedApplicationExecutionContext ExecutionContext => builder.ExecutionContext;

    public IDistributedApplicationEventing Eventing => builder.Eventing;

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
        => builder.AddResource(resource);

    public DistributedApplication Build()
    {
        var application = builder.BuildApplication(isTest: true);
        run?.Built(application);
        return application;
    }

    public Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default) => Task.FromResult(Build());

    public ValueTask DisposeAsync()
    {
        run?.Abandon();
        return ValueTask.CompletedTask;
    }
}
