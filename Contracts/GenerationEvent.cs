namespace Fastgen.Contracts;

/// <summary>News of one choice: some text, its tokens, or its end.</summary>
public sealed record GenerationEvent
{
    /// <summary>Which of the request's choices.</summary>
    public int Choice { get; init; }

    /// <summary>Text that became certain, possibly empty.</summary>
    public string Text { get; init; } = "";

    /// <summary>Ids of the tokens generated since the choice's last event.</summary>
    public IReadOnlyList<int> TokenIds { get; init; } = [];

    /// <summary>One per token of <see cref="TokenIds"/> when logprobs were asked for.</summary>
    public IReadOnlyList<TokenLogprob>? Logprobs { get; init; }

    /// <summary>Set on the choice's last event.</summary>
    public FinishReason? FinishReason { get; init; }

    /// <summary>Set with <see cref="Contracts.FinishReason.Error"/>: what went wrong, fit for the caller's eyes.</summary>
    public string? Error { get; init; }

    /// <summary>Set on the last event of the request.</summary>
    public GenerationUsage? Usage { get; init; }
}
