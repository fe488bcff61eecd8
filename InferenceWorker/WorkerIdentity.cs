namespace Fastgen.InferenceWorker;

/// <summary>The name of this process among the workers, unique over restarts.</summary>
internal sealed class WorkerIdentity
{
    public string Id { get; } = $"{Environment.MachineName.ToLowerInvariant()}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}";
}
