namespace Fastgen.Contracts.Wire;

/// <summary>One item of a <see cref="ReplyBatch"/>: news of a choice, or the failure or release of a whole request.</summary>
public readonly record struct ReplyItem
{
    /// <summary>The gateway's number for the request.</summary>
    public long Ticket { get; init; }

    /// <summary>Tokens of the choice before this event's.</summary>
    public int TokenOffset { get; init; }

    /// <summary>UTF-16 units of the choice's text before this event's.</summary>
    public int TextOffset { get; init; }

    /// <summary>Null when the request has failed or is released.</summary>
    public GenerationEvent? Event { get; init; }

    /// <summary>Why the request failed; null otherwise.</summary>
    public GenerationException? Failure { get; init; }

    /// <summary>Why the request comes back; null otherwise.</summary>
    public ReleaseReason? Release { get; init; }
}
