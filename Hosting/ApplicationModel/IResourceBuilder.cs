namespace Aspire.Hosting.ApplicationModel;

/// <summary>Describes one resource.</summary>
/// <remarks>Covariant, so that a builder of a concrete resource serves where one of its interface is asked for.</remarks>
public interface IResourceBuilder<out T>
    where T : IResource
{
    /// <summary>The application that the resource belongs to.</summary>
    IDistributedApplicationBuilder ApplicationBuilder { get; }

    /// <summary>The resource.</summary>
    T Resource { get; }
}
