namespace Fastgen.Engine.Scheduling;

/// <summary>What one step computes: who, which tokens, and whose next token is chosen. Reused from step to step.</summary>
internal sealed class StepPlan
{
    public long StepNumber { get; set; }

    public int TokenCount { get; set; }

    public List<PlannedChunk> Chunks { get; } = [];

    public List<PlannedRow> Rows { get; } = [];

    /// <summary>Copy-on-write of blocks, in this order.</summary>
    public List<(int Source, int Destination)> BlockCopies { get; } = [];

    public bool IsEmpty => Chunks.Count == 0;

    public void Clear()
    {
        TokenCount = 0;
        Chunks.Clear();
        Rows.Clear();
        BlockCopies.Clear();
    }
}
