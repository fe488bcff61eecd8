namespace Aspire.Hosting.ApplicationModel;

/// <summary>States that a resource passes through.</summary>
public static class KnownResourceStates
{
    /// <summary>Its dependencies are not ready.</summary>
    public static readonly string Waiting = "Waiting";

    /// <summary>All its replicas have been started.</summary>
    public static readonly string Running = "Running";

    /// <summary>It could not be started and is not tried again.</summary>
    public static readonly string FailedToStart = "FailedToStart";

    /// <summary>A program that came to its own end.</summary>
    public static readonly string Finished = "Finished";

    /// <summary>It was stopped with the application.</summary>
    public static readonly string Exited = "Exited";
}
