namespace Fastgen.Contracts;

/// <summary>What a gateway says about itself with each heartbeat. Counters run since its start.</summary>
public sealed record GatewayStatus
{
    /// <summary>Unique per process.</summary>
    public required string Id { get; init; }

    /// <summary>Time of this heartbeat by the gateway's clock.</summary>
    public long AtUnixMs { get; init; }

    /// <summary>Machine the process runs on.</summary>
    public string Host { get; init; } = "";

    public int ProcessId { get; init; }

    /// <summary>Requests in a queue or at a worker.</summary>
    public int OpenRequests { get; init; }

    public long SubmittedRequests { get; init; }

    /// <summary>Submitted once more because Redis or a worker had lost them.</summary>
    public long ResubmittedRequests { get; init; }

    public long CancelledRequests { get; init; }

    /// <summary>Refused because the queue was full.</summary>
    public long RefusedRequests { get; init; }

    public long ReplyEntries { get; init; }

    /// <summary>Events passed on to callers.</summary>
    public long Events { get; init; }

    /// <summary>Events that repeated what the caller had, after a worker's death.</summary>
    public long RepeatedEvents { get; init; }
}
