using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.Batching;

/// <summary>One token to be chosen in a step.</summary>
internal sealed class SampleRow
{
    /// <summary>Index into <see cref="Batch.TokenIds"/> of the token whose logits decide. Several rows may share one (n &gt; 1).</summary>
    public int TokenIndex { get; set; }

    /// <summary>Stable small integer of the sequence while it runs, below the engine's largest batch: where a device keeps its penalty counts.</summary>
    public int SequenceSlot { get; set; }

    /// <summary>The slot was given to this sequence anew (first step, or resumed after preemption): device state must be rebuilt from <see cref="History"/>.</summary>
    public bool SlotIsNew { get; set; }

    public required SamplingParameters Parameters { get; set; }

    /// <summary>Resolved seed of the sequence; the generator is keyed by (seed, output position) alone.</summary>
    public ulong Seed { get; set; }

    /// <summary>How many tokens the sequence had generated before this one.</summary>
    public int OutputPosition { get; set; }

    /// <summary>Prompt and output tokens known to the host, prompt first.</summary>
    public ReadOnlyMemory<int> History { get; set; }

    /// <summary>Length of the prompt inside <see cref="History"/>.</summary>
    public int PromptTokens { get; set; }

    /// <summary>Token ids that may not be chosen in this step (end-of-sequence before the minimum length).</summary>
    public ReadOnlyMemory<int> BannedTokens { get; set; }
}
