namespace Fastgen.Engine;

/// <summary>News of one choice of a request: tokens, text that became certain, or its end.</summary>
public sealed record EngineDelta
{
    /// <summary>Which choice.</summary>
    public int Index { get; init; }

    /// <summary>Text that became certain; it may lag behind the tokens. Empty when the engine has no tokenizer.</summary>
    public string Text { get; init; } = "";

    /// <summary>Tokens generated since the choice's last delta; a token that ended the choice is the last of them.</summary>
    public IReadOnlyList<int> TokenIds { get; init; } = [];

    /// <summary>One per token when logprobs were asked for.</summary>
    public IReadOnlyList<TokenLogprobs>? Logprobs { get; init; }

    /// <summary>Set on the choice's last delta.</summary>
    public EngineFinishReason? FinishReason { get; init; }

    /// <summary>What went wrong, when the reason is <see cref="EngineFinishReason.Error"/>.</summary>
    public string? Error { get; init; }

    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Tokens that this choice has generated so far.</summary>
    public int CompletionTokens { get; init; }

    /// <summary>Prompt tokens that the prefix cache had.</summary>
    public int CachedTokens { get; init; }
}
