using Fastgen.Engine.Batching;

namespace Fastgen.Engine.UnitTests.Doubles;

/// <summary>A device without arithmetic: it keeps token and position in every KV slot that a batch writes, and chooses the
/// next token by what it reads back through the block tables. It checks what a real device would silently get wrong.</summary>
internal sealed class KvDoubleRunner(int blockSize, int blockCount, int vocabularySize, int maxStepsInFlight) : IStepRunner
{
    private readonly (int Token, int Position, int Regime)[] _slots = NewSlots(blockSize * blockCount);
    private readonly Queue<StepOutput> _outputs = new();
    private readonly HashSet<int> _liveSlots = [];
    private int[] _previousTokens = [];

    public int BlockSize => blockSize;

    public int BlockCount => blockCount;

    public int VocabularySize => vocabularySize;

    public int MaxStepsInFlight => maxStepsInFlight;

    /// <summary>As <see cref="IStepRunner.Regime"/>; null has one for all lengths.</summary>
    public Func<int, int>? RegimeOf { get; init; }

    public bool IsDisposed { get; private set; }

    public int LargestStepTokens { get; private set; }

    public int LargestStepSequences { get; private set; }

    public int LargestChunk { get; private set; }

    public long TokensComputed { get; private set; }

    public long FeedbackTokens { get; private set; }

    public int MostInFlight { get; private set; }

    /// <summary>Called before a step is submitted or collected; may throw.</summary>
    public Action<Batch>? OnSubmit { get; set; }

    public Action? OnCollect { get; set; }

    /// <summary>Rows for which the logits are reported as not finite.</summary>
    public Func<SampleRow, bool>? IsNotFinite { get; set; }

    /// <summary>Errors that the checks found; tests assert that there are none.</summary>
    public List<string> Violations { get; } = [];

    public void Submit(Batch batch)
    {
        OnSubmit?.Invoke(batch);
        Check(_outputs.Count < maxStepsInFlight, "more steps in flight than allowed");
        LargestStepTokens = Math.Max(LargestStepTokens, batch.TokenCount);
        LargestStepSequences = Math.Max(LargestStepSequences, batch.SequenceCount);
        TokensComputed += batch.TokenCount;
        foreach ((int source, int destination) in batch.BlockCopies)
        {
            _slots.AsSpan(source * blockSize, blockSize).CopyTo(_slots.AsSpan(destination * blockSize, blockSize));
        }

        foreach ((int tokenIndex, int previousRow) in batch.Feedback)
        {
            batch.TokenIds[tokenIndex] = _previousTokens[previousRow];
            FeedbackTokens++;
        }

        Check(batch.QueryStarts[batch.SequenceCount] == batch.TokenCount, "query starts do not end at the token count");
        CheckWrittenOnce(batch);
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            for (int i = batch.QueryStarts[sequence]; i < batch.QueryStarts[sequence + 1]; i++)
            {
                _slots[batch.SlotMapping[i]] = (batch.TokenIds[i], batch.Positions[i], Regime(batch.SequenceLengths[sequence]));
            }
        }

        _outputs.Enqueue(Choose(batch));
        MostInFlight = Math.Max(MostInFlight, _outputs.Count);
    }

    public int Regime(int length) => RegimeOf?.Invoke(length) ?? 0;

    public StepOutput Collect()
    {
        StepOutput output = _outputs.Dequeue();
        OnCollect?.Invoke();
        return output;
    }

    public void Dispose() => IsDisposed = true;

    private static (int, int, int)[] NewSlots(int count)
    {
        var slots = new (int, int, int)[count];
        Array.Fill(slots, (int.MinValue, int.MinValue, int.MinValue));
        return slots;
    }

    private StepOutput Choose(Batch batch)
    {
        var output = new StepOutput();
        output.Prepare(batch);
        var tokens = new List<int[]>();
        for (int sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            tokens.Add(ReadBack(batch, sequence));
        }

        _liveSlots.Clear();
        for (int row = 0; row < batch.SampleRows.Count; row++)
        {
            SampleRow sample = batch.SampleRows[row];
            int sequence = 0;
            while (batch.QueryStarts[sequence + 1] <= sample.TokenIndex)
            {
                sequence++;
            }

            Check(sample.TokenIndex == batch.QueryStarts[sequence + 1] - 1, "a row is not at the end of its sequence's tokens");
            Check(_liveSlots.Add(sample.SequenceSlot), "two rows have one sequence slot");
            CheckHistory(sample, tokens[sequence]);
            output.TokenIds[row] = HashModel.NextToken(tokens[sequence], sample.Seed, vocabularySize);
            output.Logprobs[row] = -sample.OutputPosition;
            output.NotFinite[row] = IsNotFinite?.Invoke(sample) ?? false;
        }

        _previousTokens = output.TokenIds[..output.RowCount];
        return output;
    }

    private int[] ReadBack(Batch batch, int sequence)
    {
        int context = batch.ContextLengths[sequence];
        int first = batch.QueryStarts[sequence];
        Check(batch.SequenceLengths[sequence] >= 1, "a sequence has no length");
        LargestChunk = Math.Max(LargestChunk, batch.QueryStarts[sequence + 1] - first);
        Check(batch.Positions[batch.QueryStarts[sequence + 1] - 1] == context - 1, "the last position is not the context's end");
        var tokens = new int[context];
        for (int position = 0; position < context; position++)
        {
            int block = batch.BlockTables[(sequence * batch.MaxBlocksPerSequence) + (position / blockSize)];
            (int token, int written, int regime) = _slots[(block * blockSize) + (position % blockSize)];
            Check(written == position, $"position {position} reads a slot written for position {written}");
            Check(regime == Regime(batch.SequenceLengths[sequence]), $"position {position} was computed in regime {regime}");
            tokens[position] = token;
        }

        return tokens;
    }

    private void CheckHistory(SampleRow row, int[] tokens)
    {
        ReadOnlySpan<int> known = row.History.Span;
        // What is fed back on the device the host does not know yet.
        int unknown = tokens.Length - known.Length;
        Check(unknown is 0 || (unknown == 1 && maxStepsInFlight > 1), $"the history lacks {unknown} tokens");
        Check(known.SequenceEqual(tokens.AsSpan(0, known.Length)), "the history is not what was computed");
        Check(row.OutputPosition == tokens.Length - row.PromptTokens, "the output position is wrong");
    }

    private void CheckWrittenOnce(Batch batch)
    {
        Check(batch.SlotMapping.AsSpan(0, batch.TokenCount).ToArray().Distinct().Count() == batch.TokenCount, "a step writes one slot twice");
    }

    private void Check(bool holds, string violation)
    {
        if (!holds)
        {
            Violations.Add(violation);
        }
    }
}
