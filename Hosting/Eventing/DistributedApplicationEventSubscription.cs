using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Eventing;

/// <summary>A callback and the resource whose events it gets.</summary>
public sealed class DistributedApplicationEventSubscription
{
    internal DistributedApplicationEventSubscription(IResource resource, Type eventType, Func<IDistributedApplicationEvent, CancellationToken, Task> callback)
    {
        Resource = resource;
        EventType = eventType;
        Callback = callback;
    }

    internal IResource Resource { get; }

    internal Type EventType { get; }

    internal Func<IDistributedApplicationEvent, CancellationToken, Task> Callback { get; }
}
