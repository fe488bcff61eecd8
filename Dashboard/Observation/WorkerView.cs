using Fastgen.Contracts;

namespace Fastgen.Dashboard.Observation;

/// <summary>A worker as the page shows it.</summary>
/// <param name="Status">What it last said.</param>
/// <param name="SilentSeconds">Time since its heartbeat was last seen to change.</param>
internal sealed record WorkerView(WorkerStatus Status, WorkerState State, int SilentSeconds)
{
    /// <summary>Whether its numbers are of now.</summary>
    public bool IsLive => State is not (WorkerState.Silent or WorkerState.Gone);

    /// <summary>Over its last heartbeat; zero when it is silent.</summary>
    public double GeneratedTokensPerSecond => IsLive && double.IsFinite(Status.GeneratedTokensPerSecond) ? Status.GeneratedTokensPerSecond : 0;

    /// <summary>Over its last heartbeat; zero when it is silent.</summary>
    public double PromptTokensPerSecond => IsLive && double.IsFinite(Status.PromptTokensPerSecond) ? Status.PromptTokensPerSecond : 0;
}
