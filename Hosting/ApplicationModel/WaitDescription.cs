namespace Aspire.Hosting.ApplicationModel;

/// <summary>The resource starts when the dependency is healthy and stops before it.</summary>
internal sealed record WaitDescription(Resource Dependency);
