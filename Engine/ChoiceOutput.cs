namespace Fastgen.Engine;

/// <summary>What one choice has generated and its reader has not taken yet. Guarded by its <see cref="RequestOutput"/>.</summary>
internal sealed class ChoiceOutput
{
    public List<int> TokenIds { get; } = [];

    /// <summary>[tokens] when logprobs were asked for, else empty</summary>
    public List<float> Logprobs { get; } = [];

    /// <summary>[tokens, alternatives]</summary>
    public List<int> TopIds { get; } = [];

    /// <summary>[tokens, alternatives]</summary>
    public List<float> TopLogprobs { get; } = [];

    public EngineFinishReason? FinishReason { get; set; }

    public string? Error { get; set; }

    /// <summary>It has had a token.</summary>
    public bool HasBegun { get; set; }

    /// <summary>There is something that the reader has not taken.</summary>
    public bool HasNews { get; set; }
}
