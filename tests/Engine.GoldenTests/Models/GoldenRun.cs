using Fastgen.Engine.Batching;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>Drives a step runner over the prompts of a case: chunked, ragged, with scattered KV blocks.</summary>
internal sealed class GoldenRun
{
    private readonly IStepRunner _runner;
    private readonly GoldenCase _golden;
    private readonly Queue<int> _freeBlocks;
    private readonly Batch _batch;

    public GoldenRun(IStepRunner runner, GoldenCase golden)
    {
        _runner = runner;
        _golden = golden;
        // A sequence may have to be computed anew, generated tokens and all.
        var longest = golden.Prompts.Max(prompt => prompt.Length) + golden.GeneratedPerPrompt;
        _batch = new Batch(golden.Prompts.Sum(prompt => prompt.Length + golden.GeneratedPerPrompt), golden.Prompts.Count, (longest + runner.BlockSize - 1) / runner.BlockSize);

        // Scattered on purpose: block ids in order would hide a wrong block table.
        var blocks = Enumerable.Range(0, runner.BlockCount).ToArray();
        new Random(7).Shuffle(blocks);
        _freeBlocks = new Queue<int>(blocks);
    }

    /// <summary>Goes on with the reference's tokens whatever the runner chooses, so that every position can be compared.</summary>
    public bool Forced { get; init; }

    /// <summary>[prompt][position] logits: every position of prompt 0, from the last of the others; then one row per generated token but the last.</summary>
    public List<float[]>[] Logits { get; private set; } = [];

    /// <summary>[prompt][generated]</summary>
    public List<int>[] Tokens { get; private set; } = [];

    /// <summary>[prompt][generated]</summary>
    public List<float>[] Logprobs { get; private set; } = [];

    /// <param name="chunk">Most prompt tokens per step and sequence.</param>
    /// <param name="together">All prompts in one batch, else one after the other.</param>
    public void Generate(int chunk, bool together)
    {
        var sequences = _golden.Prompts.Select((prompt, index) => new Sequence(index, [.. prompt], prompt.Length)).ToList();
        Logits = [.. sequences.Select(_ => new List<float[]>())];
        Tokens = [.. sequences.Select(_ => new List<int>())];
        Logprobs = [.. sequences.Select(_ => new List<float>())];
        if (together)
        {
            Finish(sequences, chunk);
        }
        else
        {
            sequences.ForEach(sequence => Finish([sequence], chunk));
        }
    }

    private void Finish(List<Sequence> running, int chunk)
    {
        running = [.. running];
        while (running.Count > 0)
        {
            var owners = Step(running, chunk);
            var output = _runner.Collect();
            Assert.Equal(owners.Count, output.RowCount);
            for (var row = 0; row < owners.Count; row++)
            {
                var (sequence, isLast) = owners[row];
                Assert.False(output.NotFinite[row]);
                Logits[sequence.Index].Add(output.Logits.AsSpan(row * _runner.VocabularySize, _runner.VocabularySize).ToArray());
                if (isLast)
                {
                    Tokens[sequence.Index].Add(output.TokenIds[row]);
                    Logprobs[sequence.Index].Add(output.Logprobs[row]);
                    sequence.Tokens.Add(Forced ? _golden.Tokens[(sequence.Index * _golden.GeneratedPerPrompt) + Tokens[sequence.Index].Count - 1] : output.TokenIds[row]);
                }
            }

            foreach (var sequence in running.Where(sequence => Tokens[sequence.Index].Count == _golden.GeneratedPerPrompt).ToList())
            {
                sequence.Blocks.ForEach(_freeBlocks.Enqueue);
                running.Remove(sequence);
            }
        }
    }

    private List<(Sequence Sequence, bool IsLast)> Step(List<Sequence> running, int chunk)
    {
        var owners = new List<(Sequence, bool)>();
        _batch.Clear();
        _batch.StepNumber++;
        _batch.ReturnLogits = true;
        foreach (var sequence in running)
        {
            if (_runner.Regime(sequence.Tokens.Count) != sequence.Regime)
            {
                sequence.Regime = _runner.Regime(sequence.Tokens.Count);
                sequence.Computed = 0;
            }

            var count = Math.Min(sequence.Tokens.Count - sequence.Computed, chunk);
            var row = _batch.SequenceCount++;
            _batch.QueryStarts[row] = _batch.TokenCount;
            for (var i = 0; i < count; i++)
            {
                var position = sequence.Computed + i;
                if (position == sequence.Blocks.Count * _runner.BlockSize)
                {
                    sequence.Blocks.Add(_freeBlocks.Dequeue());
                }

                var isLast = position == sequence.Tokens.Count - 1;
                if (isLast || (sequence.Index == 0 && position < sequence.PromptLength && sequence.Tokens.Count == sequence.PromptLength))
                {
                    owners.Add((sequence, isLast));
                    _batch.SampleRows.Add(new SampleRow { TokenIndex = _batch.TokenCount, Parameters = new SamplingParameters { Temperature = 0, Logprobs = 0 }, SequenceSlot = sequence.Index });
                }

                _batch.TokenIds[_batch.TokenCount] = sequence.Tokens[position];
                _batch.Positions[_batch.TokenCount] = position;
                _batch.SlotMapping[_batch.TokenCount] = (sequence.Blocks[position / _runner.BlockSize] * _runner.BlockSize) + (position % _runner.BlockSize);
                _batch.TokenCount++;
            }

            sequence.Computed += count;
            _batch.ContextLengths[row] = sequence.Computed;
            _batch.SequenceLengths[row] = sequence.Tokens.Count;
            for (var block = 0; block < sequence.Blocks.Count; block++)
            {
                _batch.BlockTables[(row * _batch.MaxBlocksPerSequence) + block] = sequence.Blocks[block];
            }
        }

        _batch.QueryStarts[_batch.SequenceCount] = _batch.TokenCount;
        _runner.Submit(_batch);
        return owners;
    }

    private sealed record Sequence(int Index, List<int> Tokens, int PromptLength)
    {
        public int Computed { get; set; }

        public int Regime { get; set; }

        public List<int> Blocks { get; } = [];
    }
}
