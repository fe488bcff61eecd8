namespace Fastgen.Dashboard.Observation;

/// <summary>What the dashboard holds of a worker.</summary>
internal enum WorkerState
{
    /// <summary>Its heartbeats come.</summary>
    Ready,

    /// <summary>Its heartbeats come and say that it was told to stop.</summary>
    Draining,

    /// <summary>Its heartbeats come and say that its engine takes no more requests.</summary>
    Faulted,

    /// <summary>Its heartbeat is still there but has not changed for some time.</summary>
    Silent,

    /// <summary>Its heartbeat has expired or was taken back.</summary>
    Gone,
}
