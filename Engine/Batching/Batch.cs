namespace Fastgen.Engine.Batching;

/// <summary>The flat arrays of one step. Sequences lie one after the other; each brings one or more new tokens.</summary>
/// <remarks>Arrays have capacity for the largest step and are reused: only the counted prefix is valid. Integers only.</remarks>
internal sealed class Batch
{
    public Batch(int maxTokens, int maxSequences, int maxBlocksPerSequence)
    {
        MaxBlocksPerSequence = maxBlocksPerSequence;
        TokenIds = new int[maxTokens];
        Positions = new int[maxTokens];
        SlotMapping = new int[maxTokens];
        QueryStarts = new int[maxSequences + 1];
        ContextLengths = new int[maxSequences];
        SequenceLengths = new int[maxSequences];
        BlockTables = new int[maxSequences * maxBlocksPerSequence];
    }

    /// <summary>Counts up by one per step.</summary>
    public long StepNumber { get; set; }

    public int TokenCount { get; set; }

    public int SequenceCount { get; set; }

    public int MaxBlocksPerSequence { get; }

    /// <summary>[tokens]</summary>
    public int[] TokenIds { get; }

    /// <summary>[tokens] position of each token in its sequence</summary>
    public int[] Positions { get; }

    /// <summary>[tokens] where the token's keys and values go: block × blockSize + offset</summary>
    public int[] SlotMapping { get; }

    /// <summary>[sequences + 1] first token of each sequence, and the total</summary>
    public int[] QueryStarts { get; }

    /// <summary>[sequences] tokens of the sequence in the KV cache once this step has run</summary>
    public int[] ContextLengths { get; }

    /// <summary>[sequences] tokens of the whole sequence, those that later steps will compute included, or any number of the same <see cref="IStepRunner.Regime"/>: some position embeddings depend on it</summary>
    public int[] SequenceLengths { get; }

    /// <summary>[sequences, MaxBlocksPerSequence] block ids, row by row</summary>
    public int[] BlockTables { get; }

    /// <summary>Blocks to copy before anything else of the step runs (copy-on-write), in this order: a destination may be the source of an earlier copy.</summary>
    public List<(int Source, int Destination)> BlockCopies { get; } = [];

    /// <summary>Token ids that the host does not know yet: before the step, TokenIds[TokenIndex] takes what row PreviousRow of the step before sampled.</summary>
    public List<(int TokenIndex, int PreviousRow)> Feedback { get; } = [];

    /// <summary>[rows] tokens to choose, in order of their sequences</summary>
    public List<SampleRow> SampleRows { get; } = [];

    /// <summary>Also brings the raw logits of every sample row to the host (tests, custom samplers).</summary>
    public bool ReturnLogits { get; set; }

    /// <summary>Every sequence brings exactly one token.</summary>
    public bool IsDecodeOnly => TokenCount == SequenceCount;

    public void Clear()
    {
        TokenCount = 0;
        SequenceCount = 0;
        BlockCopies.Clear();
        Feedback.Clear();
        SampleRows.Clear();
        ReturnLogits = false;
    }
}
