namespace Fastgen.Gateway;

/// <summary>Settings of a gateway, section <c>Gateway</c>.</summary>
internal sealed record GatewayOptions
{
    /// <summary>Key that callers must send; empty or null leaves the API open.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Largest request body.</summary>
    public long MaxBodyBytes { get; init; } = 8 << 20;

    /// <summary>Requests of one model and priority class that may wait for a worker before new ones are refused.</summary>
    public int MaxQueuedRequests { get; init; } = 1024;

    /// <summary>Bytes of requests of one model and priority class that Redis may hold, those at work included, before new ones are refused.</summary>
    public long MaxQueuedBytes { get; init; } = 256L << 20;

    /// <summary>Requests that this gateway handles at once before new ones are refused.</summary>
    public int MaxOpenRequests { get; init; } = 4096;

    /// <summary>Longest time of a request, waiting included.</summary>
    public int RequestTimeoutSeconds { get; init; } = 600;

    /// <summary>How often the gateway says that it lives and looks who else does.</summary>
    public int HeartbeatMs { get; init; } = 1000;

    /// <summary>How long after the last heartbeat the gateway counts as dead and its reply stream is deleted.</summary>
    public int DeadAfterMs { get; init; } = 30_000;

    /// <summary>After so long without news of a request the gateway checks that Redis still has it.</summary>
    public int SilentAfterMs { get; init; } = 3000;

    /// <summary>A request that waits while no worker serves its model is given up after so long.</summary>
    public int NoWorkerSeconds { get; init; } = 30;

    /// <summary>How often a request may be submitted anew after Redis has lost it.</summary>
    public int MaxResubmissions { get; init; } = 3;
}
