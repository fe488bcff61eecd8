namespace Aspire.Hosting;

/// <summary>Whether the application is described in order to run or in order to be published.</summary>
/// <remarks>This host only runs; publishing is done by Microsoft's Aspire from the same description.</remarks>
public sealed class DistributedApplicationExecutionContext
{
    internal DistributedApplicationExecutionContext()
    {
    }

    /// <summary>True: this host runs the application.</summary>
#pragma warning disable CA1822 // an instance member in Aspire, and called as one
    public bool IsRunMode => true;
#pragma warning restore CA1822
}
