using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fastgen.Hosting.Run;

/// <summary>Brings all resources up in the order of their waits and down in the reverse order.</summary>
internal sealed class Orchestrator(
    IReadOnlyList<Resource> resources,
    RunOptions options,
    IConfiguration configuration,
    ResourceNotificationService notifications,
    DistributedApplicationEventing eventing,
    IServiceProvider services) : IDisposable
{
    private readonly ILoggerFactory _loggers = services.GetRequiredService<ILoggerFactory>();
    private readonly EnvironmentComposer _environment = new(resources, configuration);
    private readonly HealthProbe _health = new();
    private ProcessGuard? _guard;
    private readonly CancellationTokenSource _force = new();
    private readonly Lock _lock = new();
    private readonly List<ResourceRun> _runs = [];
    private Task? _stop;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        RefuseCycles();
        PortAllocator.Allocate(resources, options.RandomPorts);
        _guard = new ProcessGuard();
        var log = _loggers.CreateLogger(PrefixedConsoleLoggerProvider.HostCategory);
        var runs = new List<ResourceRun>();
        foreach (var resource in resources)
        {
            if (await LaunchesAsync(resource, _guard.ScratchDirectory) is not { } launches)
            {
                // A parameter or a server that is there already: nothing to start.
                _ = resource is IResourceWithConnectionString server ? await server.GetConnectionStringAsync(cancellationToken) : null;
                notifications.Set(resource, KnownResourceStates.Running, healthy: true);
                continue;
            }

            var replicas = launches.Select((launch, i) =>
            {
                var label = launches.Count > 1 ? $"{resource.Name}-{i}" : resource.Name;
                var output = _loggers.CreateLogger(PrefixedConsoleLoggerProvider.ResourceCategory + label);
                return new ReplicaSupervisor(label, launch, mayFinish: resource is ExecutableResource, options, _guard, output, log);
            });
            runs.Add(new ResourceRun(resource, [.. replicas], _health, notifications, eventing, services, log));
        }

        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (_stop is null)
            {
                _runs.AddRange(runs);
                runs.ForEach(run => run.Start(_force.Token));
            }
        }
    }

    /// <param name="force">Kill what has not ended by itself.</param>
    public async Task StopAsync(CancellationToken force)
    {
        using var registration = force.Register(_force.Cancel);
        Task stop;
        lock (_lock)
        {
            stop = _stop ??= StopOnceAsync();
        }

        await stop;
    }

    public void Dispose()
    {
        _force.Dispose();
        _health.Dispose();
        _guard?.Dispose();
    }

    private async Task StopOnceAsync()
    {
        var stops = new Dictionary<ResourceRun, Task>();
        foreach (var run in _runs)
        {
            _ = Stop(run);
        }

        await Task.WhenAll(stops.Values);

        Task Stop(ResourceRun run)
        {
            if (!stops.TryGetValue(run, out var stop))
            {
                var dependents = _runs.Where(other => other.Resource.Waits.Exists(w => w.Dependency == run.Resource)).Select(Stop).ToArray();
                stops.Add(run, stop = StopAfterAsync(run, dependents));
            }

            return stop;
        }
    }

    private static async Task StopAfterAsync(ResourceRun run, Task[] dependents)
    {
        await Task.WhenAll(dependents);
        await run.StopAsync();
        run.Dispose();
    }

    private void RefuseCycles()
    {
        var known = new HashSet<Resource>();
        foreach (var resource in resources)
        {
            Visit(resource, []);
        }

        void Visit(Resource resource, Resource[] path)
        {
            if (path.Contains(resource))
            {
                throw new DistributedApplicationException(
                    $"Resources wait for each other: {string.Join(" waits for ", path.Append(resource).Select(r => r.Name))}; take one WaitFor away.");
            }

            if (known.Add(resource) || path.Length > 0)
            {
                resource.Waits.ForEach(wait => Visit(wait.Dependency, [.. path, resource]));
            }
        }
    }

    /// <returns>How each replica is started, or null when there is nothing to start.</returns>
    private async Task<IReadOnlyList<Func<CancellationToken, ValueTask<Launch>>>?> LaunchesAsync(Resource resource, string scratchDirectory)
    {
        switch (resource)
        {
            case RedisResource redis:
                var launch = await RedisServer.ResolveAsync(redis, Environment.GetEnvironmentVariable("PATH"), scratchDirectory);
                return [_ => new(launch())];
            case ExecutableResource executable:
                return [async ct => new Launch(
                    executable.Command, executable.Arguments, executable.WorkingDirectory, await _environment.ComposeAsync(resource, 0, ct))];
            case ProjectResource project:
                if (!File.Exists(project.AssemblyPath))
                {
                    throw new DistributedApplicationException(
                        $"'{project.AssemblyPath}', the output of '{project.ProjectPath}' for '{project.Name}', does not exist; build the app host first.");
                }

                return [.. Enumerable.Range(0, project.Replicas).Select<int, Func<CancellationToken, ValueTask<Launch>>>(replica => async ct => new Launch(
                    DotnetExecutable.Path,
                    [project.AssemblyPath, .. project.Arguments],
                    Path.GetDirectoryName(project.ProjectPath)!,
                    await _environment.ComposeAsync(resource, replica, ct)))];
            default:
                return null;
        }
    }
}
