namespace Aspire.Hosting.Testing;

/// <summary>An application that a test starts; it can still be changed before it is built.</summary>
public interface IDistributedApplicationTestingBuilder : IDistributedApplicationBuilder, IAsyncDisposable
{
    /// <summary>Builds the application. Its entry point, if it has one, goes on after its call of Build, up to Run.</summary>
    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}
