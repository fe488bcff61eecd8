using Aspire.Hosting.Eventing;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A resource runs and is healthy for the first time.</summary>
public sealed class ResourceReadyEvent : IDistributedApplicationResourceEvent
{
    internal ResourceReadyEvent(IResource resource, IServiceProvider services)
    {
        Resource = resource;
        Services = services;
    }

    /// <inheritdoc />
    public IResource Resource { get; }

    /// <summary>Services of the host.</summary>
    public IServiceProvider Services { get; }
}
