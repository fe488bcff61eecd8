namespace Fastgen.Engine.Batching;

/// <summary>What one step chose. Arrays are reused by the runner: valid until the next call of <see cref="IStepRunner.Collect"/>.</summary>
internal sealed class StepOutput
{
    public long StepNumber { get; set; }

    public int RowCount { get; set; }

    /// <summary>[rows]</summary>
    public int[] TokenIds { get; set; } = [];

    /// <summary>[rows] log-softmax of the raw logits at the chosen token; NaN for rows that did not ask</summary>
    public float[] Logprobs { get; set; } = [];

    /// <summary>Most alternatives that any row asked for; the stride of the two arrays below.</summary>
    public int TopCount { get; set; }

    /// <summary>[rows, TopCount] best first</summary>
    public int[] TopIds { get; set; } = [];

    /// <summary>[rows, TopCount]</summary>
    public float[] TopLogprobs { get; set; } = [];

    /// <summary>[rows, vocabulary] when the batch asked for them, else empty</summary>
    public float[] Logits { get; set; } = [];

    /// <summary>[rows] true where the logits held NaN or infinity: the sequence must end with an error</summary>
    public bool[] NotFinite { get; set; } = [];

    /// <summary>Sizes the arrays for a batch's rows (all but <see cref="Logits"/>) and forgets the step before.</summary>
    public void Prepare(Batch batch)
    {
        int rows = batch.SampleRows.Count;
        int top = 0;
        foreach (SampleRow row in batch.SampleRows)
        {
            top = Math.Max(top, row.Parameters.Logprobs ?? 0);
        }

        StepNumber = batch.StepNumber;
        RowCount = rows;
        TopCount = top;
        if (TokenIds.Length < rows)
        {
            TokenIds = new int[rows];
            Logprobs = new float[rows];
            NotFinite = new bool[rows];
        }

        if (TopIds.Length < rows * top)
        {
            TopIds = new int[rows * top];
            TopLogprobs = new float[rows * top];
        }

        Array.Clear(NotFinite);
    }
}
