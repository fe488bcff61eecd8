namespace Fastgen.Dashboard.Observation;

/// <summary>Everything that the page shows, at one moment.</summary>
/// <param name="Version">Grows with each snapshot.</param>
/// <param name="At">When it was taken.</param>
/// <param name="Workers">By id; those that went away lately too.</param>
/// <param name="Unreadable">Heartbeats that are there but cannot be understood.</param>
/// <param name="QueuedRequests">Requests that no worker has taken yet; null while Redis does not answer.</param>
/// <param name="Generated">Generated tokens per second, oldest first; NaN where nothing was known.</param>
/// <param name="Prompt">Prompt tokens per second, oldest first; NaN where nothing was known.</param>
internal sealed record StackSnapshot(
    long Version,
    DateTimeOffset At,
    ServiceView Redis,
    ServiceView Gateway,
    IReadOnlyList<WorkerView> Workers,
    int Unreadable,
    long? QueuedRequests,
    IReadOnlyList<double> Generated,
    IReadOnlyList<double> Prompt)
{
    /// <summary>Workers whose numbers are of now.</summary>
    public IEnumerable<WorkerView> Live => Workers.Where(worker => worker.IsLive);
}
