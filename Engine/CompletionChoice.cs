namespace Fastgen.Engine;

/// <summary>One finished choice of a request.</summary>
public sealed record CompletionChoice
{
    /// <summary>Its text, cut before a stop string. Empty when the engine has no tokenizer.</summary>
    public string Text { get; init; } = "";

    /// <summary>Generated tokens, one that ended the choice included.</summary>
    public IReadOnlyList<int> TokenIds { get; init; } = [];

    /// <summary>One per token when logprobs were asked for.</summary>
    public IReadOnlyList<TokenLogprobs>? Logprobs { get; init; }

    /// <summary>Why it ended.</summary>
    public EngineFinishReason FinishReason { get; init; }

    /// <summary>What went wrong, when the reason is <see cref="EngineFinishReason.Error"/>.</summary>
    public string? Error { get; init; }
}
