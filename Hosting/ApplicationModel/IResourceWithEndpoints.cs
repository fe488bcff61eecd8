namespace Aspire.Hosting.ApplicationModel;

/// <summary>A resource that listens on the network.</summary>
public interface IResourceWithEndpoints : IResource;
