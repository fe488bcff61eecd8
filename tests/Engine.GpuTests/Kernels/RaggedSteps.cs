using Fastgen.Engine.Batching;

namespace Fastgen.Engine.GpuTests.Kernels;

/// <summary>Cuts sequences into random chunks, one token or many, and gives the batches one after the other; blocks are scattered.</summary>
/// <remarks>Token ids count through all tokens of all sequences, so that a table of activations has a row for each.</remarks>
internal sealed class RaggedSteps
{
    private readonly int[] _lengths;
    private readonly int[] _computed;
    private readonly int[] _starts;
    private readonly int[][] _blocks;
    private readonly int _blockSize;
    private readonly Random _random;

    public RaggedSteps(int[] lengths, int blockSize, int seed)
    {
        _lengths = lengths;
        _computed = new int[lengths.Length];
        _starts = new int[lengths.Length];
        _blockSize = blockSize;
        _random = new Random(seed);
        int[] counts = [.. lengths.Select(l => (l + blockSize - 1) / blockSize)];
        BlockCount = counts.Sum() + 3;
        int[] order = [.. Enumerable.Range(0, BlockCount)];
        _random.Shuffle(order);
        _blocks = new int[lengths.Length][];
        for (int i = 0, at = 0; i < lengths.Length; at += counts[i], i++)
        {
            _blocks[i] = order[at..(at + counts[i])];
            _starts[i] = Tokens;
            Tokens += lengths[i];
        }

        Batch = new Batch(Tokens, lengths.Length, counts.Max());
    }

    public int BlockCount { get; }

    /// <summary>Of all sequences.</summary>
    public int Tokens { get; }

    public Batch Batch { get; }

    /// <summary>Fills the batch with the next step.</summary>
    /// <param name="most">Most tokens of a sequence in this step; the numbers below it are drawn.</param>
    /// <param name="sequences">Most sequences of this step.</param>
    /// <returns>False when all is computed.</returns>
    public bool Next(int most, int sequences)
    {
        long step = Batch.StepNumber;
        Batch.Clear();
        Batch.StepNumber = step + 1;
        int[] order = [.. Enumerable.Range(0, _lengths.Length)];
        _random.Shuffle(order);
        foreach (int i in order.Where(i => _computed[i] < _lengths[i]).Take(sequences))
        {
            // A third of the sequences bring one token: decode and prompt chunks side by side.
            int count = Math.Min(_random.Next(3) == 0 ? 1 : _random.Next(1, most + 1), _lengths[i] - _computed[i]);
            int row = Batch.SequenceCount++;
            Batch.QueryStarts[row] = Batch.TokenCount;
            for (int t = 0; t < count; t++)
            {
                int position = _computed[i] + t, token = Batch.TokenCount++;
                Batch.TokenIds[token] = _starts[i] + position;
                Batch.Positions[token] = position;
                Batch.SlotMapping[token] = (_blocks[i][position / _blockSize] * _blockSize) + (position % _blockSize);
            }

            _computed[i] += count;
            Batch.ContextLengths[row] = Batch.SequenceLengths[row] = _computed[i];
            Batch.QueryStarts[row + 1] = Batch.TokenCount;
            _blocks[i].CopyTo(Batch.BlockTables, row * Batch.MaxBlocksPerSequence);
        }

        return Batch.SequenceCount > 0;
    }
}
