using Fastgen.Contracts;

namespace Fastgen.Dashboard.Observation;

/// <summary>What Redis held at one moment.</summary>
/// <param name="Workers">Workers whose heartbeat is there, by id.</param>
/// <param name="Unreadable">Heartbeats that are there but cannot be understood.</param>
/// <param name="QueuedRequests">Requests that no worker has taken yet.</param>
internal sealed record StackReading(IReadOnlyList<WorkerStatus> Workers, int Unreadable, long QueuedRequests);
