namespace Aspire.Hosting.ApplicationModel;

/// <summary>Knows the state of every resource and lets callers wait for one.</summary>
public sealed class ResourceNotificationService
{
    private sealed record Status(string? State, bool Healthy, string? Failure);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Status> _statuses = new(StringComparer.OrdinalIgnoreCase);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal ResourceNotificationService(IEnumerable<Resource> resources)
    {
        foreach (var resource in resources)
        {
            _statuses.Add(resource.Name, new Status(null, false, null));
        }
    }

    /// <summary>Waits until the resource runs and its health checks pass.</summary>
    /// <exception cref="DistributedApplicationException">There is no such resource, or it has ended for good.</exception>
    public Task WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default)
        => WaitAsync(resourceName, status => status.Healthy, "become healthy", cancellationToken);

    /// <summary>Waits until the resource is in <paramref name="targetState"/>, by default running.</summary>
    /// <exception cref="DistributedApplicationException">There is no such resource, or it has ended for good in another state.</exception>
    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default)
    {
        targetState ??= KnownResourceStates.Running;
        return WaitAsync(resourceName, status => status.State == targetState, $"become {targetState}", cancellationToken);
    }

    internal void Set(Resource resource, string state, bool healthy, string? failure = null)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            _statuses[resource.Name] = new Status(state, healthy, failure);
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.SetResult();
    }

    private async Task WaitAsync(string resourceName, Func<Status, bool> reached, string goal, CancellationToken cancellationToken)
    {
        while (true)
        {
            Status? status;
            Task changed;
            lock (_lock)
            {
                if (!_statuses.TryGetValue(resourceName, out status))
                {
                    throw new DistributedApplicationException(
                        $"There is no resource '{resourceName}' (there are: {string.Join(", ", _statuses.Keys)}).");
                }

                changed = _changed.Task;
            }

            if (reached(status))
            {
                return;
            }

            if (status.State == KnownResourceStates.FailedToStart || status.State == KnownResourceStates.Exited || status.State == KnownResourceStates.Finished)
            {
                throw new DistributedApplicationException(
                    $"Resource '{resourceName}' will not {goal}, its state is {status.State}{(status.Failure is null ? "" : ": " + status.Failure)}");
            }

            await changed.WaitAsync(cancellationToken);
        }
    }
}
