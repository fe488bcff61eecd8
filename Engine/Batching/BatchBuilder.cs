using Fastgen.Engine.Scheduling;

namespace Fastgen.Engine.Batching;

/// <summary>Turns a plan into the flat arrays of a batch. Keeps the arrays and rows and fills them anew for every step.</summary>
internal sealed class BatchBuilder
{
    private readonly Batch _batch;
    private readonly int _blockSize;
    private readonly SampleRow[] _rows;

    /// <param name="maxTokens">Tokens in a step.</param>
    /// <param name="maxSequences">Sequences in a step.</param>
    /// <param name="maxContextTokens">Tokens of one sequence.</param>
    /// <param name="blockSize">Tokens per KV block.</param>
    public BatchBuilder(int maxTokens, int maxSequences, int maxContextTokens, int blockSize)
    {
        _blockSize = blockSize;
        _batch = new Batch(maxTokens, maxSequences, (maxContextTokens + blockSize - 1) / blockSize);
        _rows = new SampleRow[maxSequences];
    }

    /// <returns>The batch of this builder, valid until the next call.</returns>
    public Batch Build(StepPlan plan)
    {
        _batch.Clear();
        _batch.StepNumber = plan.StepNumber;
        foreach ((int Source, int Destination) copy in plan.BlockCopies)
        {
            _batch.BlockCopies.Add(copy);
        }

        foreach (PlannedChunk chunk in plan.Chunks)
        {
            AddChunk(chunk);
        }

        _batch.QueryStarts[_batch.SequenceCount] = _batch.TokenCount;
        for (int i = 0; i < plan.Rows.Count; i++)
        {
            AddRow(i, plan.Rows[i]);
        }

        return _batch;
    }

    private void AddChunk(PlannedChunk chunk)
    {
        Sequence sequence = chunk.Sequence;
        int first = _batch.TokenCount;
        int known = chunk.PreviousRow is null ? chunk.Count : chunk.Count - 1;
        sequence.Tokens.Span.Slice(chunk.Start, known).CopyTo(_batch.TokenIds.AsSpan(first));
        if (chunk.PreviousRow is { } row)
        {
            _batch.TokenIds[first + known] = 0;
            _batch.Feedback.Add((first + known, row));
        }

        ReadOnlySpan<int> blocks = sequence.Blocks.Blocks;
        for (int i = 0; i < chunk.Count; i++)
        {
            int position = chunk.Start + i;
            _batch.Positions[first + i] = position;
            _batch.SlotMapping[first + i] = (blocks[position / _blockSize] * _blockSize) + (position % _blockSize);
        }

        int context = chunk.Start + chunk.Count;
        int index = _batch.SequenceCount++;
        _batch.QueryStarts[index] = first;
        _batch.ContextLengths[index] = context;
        _batch.SequenceLengths[index] = sequence.RegimeLength;
        // Only the blocks with computed tokens: what lies behind them in the row is left from earlier steps and means nothing.
        blocks[..((context + _blockSize - 1) / _blockSize)].CopyTo(_batch.BlockTables.AsSpan(index * _batch.MaxBlocksPerSequence));
        _batch.TokenCount += chunk.Count;
    }

    private void AddRow(int index, PlannedRow planned)
    {
        Sequence sequence = planned.Sequence;
        ScheduledRequest request = sequence.Request;
        SampleRow row = _rows[index] ??= new SampleRow { Parameters = request.Sampling };
        row.TokenIndex = _batch.QueryStarts[planned.Chunk + 1] - 1;
        row.SequenceSlot = sequence.Slot;
        row.SlotIsNew = planned.SlotIsNew;
        row.Parameters = request.Sampling;
        row.Seed = sequence.Seed;
        row.OutputPosition = planned.OutputPosition;
        row.History = sequence.Tokens;
        row.PromptTokens = sequence.PromptTokens;
        row.BannedTokens = planned.OutputPosition < request.Sampling.MinTokens ? request.StopTokenIds : ReadOnlyMemory<int>.Empty;
        _batch.SampleRows.Add(row);
    }
}
