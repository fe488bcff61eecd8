using System.ComponentModel;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Logging;

namespace Fastgen.Hosting.Run;

/// <summary>One resource from waiting to stopped.</summary>
internal sealed class ResourceRun(
    Resource resource,
    IReadOnlyList<ReplicaSupervisor> replicas,
    HealthProbe health,
    ResourceNotificationService notifications,
    DistributedApplicationEventing eventing,
    IServiceProvider services,
    ILogger log) : IDisposable
{
    private static readonly TimeSpan StartingInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan RunningInterval = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stopping = new();
    private Task _run = Task.CompletedTask;

    public Resource Resource => resource;

    /// <param name="force">Set when processes are to be killed rather than asked to end.</param>
    public void Start(CancellationToken force) => _run = Task.Run(() => RunAsync(force), CancellationToken.None);

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _run;
        notifications.Set(resource, KnownResourceStates.Exited, healthy: false);
    }

    public void Dispose() => _stopping.Dispose();

    private async Task RunAsync(CancellationToken force)
    {
        var supervised = Task.CompletedTask;
        try
        {
            await WaitForDependenciesAsync();
            supervised = Task.WhenAll(replicas.Select(replica => replica.RunAsync(_stopping.Token, force)));
            if (await Task.WhenAny(supervised, Task.WhenAll(replicas.Select(replica => replica.Started))) == supervised)
            {
                await supervised; // throws what kept a process from starting
            }

            notifications.Set(resource, KnownResourceStates.Running, healthy: false);
            using var watching = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            var watch = WatchHealthAsync(watching.Token);
            await supervised;
            await watching.CancelAsync();
            await watch;
            notifications.Set(resource, KnownResourceStates.Finished, healthy: false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            await supervised;
        }
        catch (Exception e)
        {
            var reason = e is Win32Exception or DistributedApplicationException or IOException ? e.Message : e.ToString();
            log.LogError("{Resource} cannot be started: {Reason}", resource.Name, reason);
            notifications.Set(resource, KnownResourceStates.FailedToStart, healthy: false, reason);
            await _stopping.CancelAsync(); // its other replicas
            await supervised.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WaitForDependenciesAsync()
    {
        if (resource.Waits.Count == 0)
        {
            return;
        }

        notifications.Set(resource, KnownResourceStates.Waiting, healthy: false);
        log.LogInformation("{Resource} waits for {Dependencies}", resource.Name, string.Join(", ", resource.Waits.Select(w => w.Dependency.Name)));
        foreach (var wait in resource.Waits)
        {
            await notifications.WaitForResourceHealthyAsync(wait.Dependency.Name, _stopping.Token);
        }
    }

    private async Task WatchHealthAsync(CancellationToken cancellationToken)
    {
        var wasReady = false;
        var wasHealthy = false;
        try
        {
            while (true)
            {
                var wrong = HealthProbe.Applies(resource) ? await health.AskAsync(resource, cancellationToken) : null;
                var healthy = wrong is null;
                if (healthy != wasHealthy)
                {
                    // First the line, so that what waits for this resource never speaks before it.
                    log.Log(healthy ? LogLevel.Information : LogLevel.Warning, "{Resource} is {Health}", resource.Name, wrong is null ? "healthy" : "unhealthy: " + wrong);
                    notifications.Set(resource, KnownResourceStates.Running, healthy);
                    wasHealthy = healthy;
                }

                if (healthy && !wasReady)
                {
                    wasReady = true;
                    await eventing.PublishAsync(new ResourceReadyEvent(resource, services), cancellationToken);
                }

                if (!HealthProbe.Applies(resource))
                {
                    return;
                }

                await Task.Delay(healthy ? RunningInterval : StartingInterval, cancellationToken);
            }
        }
        catch (Exception e)
        {
            if (!cancellationToken.IsCancellationRequested)
            {
                log.LogError(e, "The health of {Resource} is no longer watched", resource.Name);
            }
        }
    }
}
