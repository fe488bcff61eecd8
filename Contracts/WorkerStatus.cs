namespace Fastgen.Contracts;

/// <summary>What a worker says about itself with each heartbeat. Counters run since its start; rates are over the last heartbeat.</summary>
public sealed record WorkerStatus
{
    /// <summary>Unique per process.</summary>
    public required string Id { get; init; }

    /// <summary>Name of the model that requests use.</summary>
    public required string Model { get; init; }

    /// <summary>Prompt and output together.</summary>
    public int MaxContextTokens { get; init; }

    /// <summary>When the model was loaded.</summary>
    public long LoadedUnixSeconds { get; init; }

    /// <summary>Time of this heartbeat by the worker's clock.</summary>
    public long AtUnixMs { get; init; }

    /// <summary>Machine the process runs on.</summary>
    public string Host { get; init; } = "";

    public int ProcessId { get; init; }

    /// <summary>Requests that it has taken and not finished.</summary>
    public int Requests { get; init; }

    /// <summary>It has been told to stop and takes no more requests.</summary>
    public bool IsDraining { get; init; }

    /// <summary>Its engine has failed for good.</summary>
    public bool IsFaulted { get; init; }

    public int RunningSequences { get; init; }

    public int WaitingSequences { get; init; }

    public int TotalBlocks { get; init; }

    public int FreeBlocks { get; init; }

    public int CachedBlocks { get; init; }

    /// <summary>Tokens per KV block.</summary>
    public int BlockSize { get; init; }

    public long Steps { get; init; }

    public long GeneratedTokens { get; init; }

    public long PromptTokens { get; init; }

    public long ComputedTokens { get; init; }

    public long CachedTokens { get; init; }

    public long Preemptions { get; init; }

    public long FinishedRequests { get; init; }

    /// <summary>Entries written to reply streams.</summary>
    public long ReplyEntries { get; init; }

    public double GeneratedTokensPerSecond { get; init; }

    public double PromptTokensPerSecond { get; init; }

    public double StepsPerSecond { get; init; }

    public double FinishedRequestsPerSecond { get; init; }
}
