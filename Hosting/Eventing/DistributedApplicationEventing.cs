using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Eventing;

internal sealed class DistributedApplicationEventing : IDistributedApplicationEventing
{
    private readonly List<DistributedApplicationEventSubscription> _subscriptions = [];

    public DistributedApplicationEventSubscription Subscribe<T>(IResource resource, Func<T, CancellationToken, Task> callback)
        where T : IDistributedApplicationResourceEvent
    {
        var subscription = new DistributedApplicationEventSubscription(resource, typeof(T), (e, ct) => callback((T)e, ct));
        _subscriptions.Add(subscription);
        return subscription;
    }

    public async Task PublishAsync(IDistributedApplicationResourceEvent happened, CancellationToken cancellationToken)
    {
        foreach (var subscription in _subscriptions)
        {
            if (subscription.EventType == happened.GetType() && ReferenceEquals(subscription.Resource, happened.Resource))
            {
                await subscription.Callback(happened, cancellationToken);
            }
        }
    }
}
