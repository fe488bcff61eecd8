using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.GpuTests.Kernels;

/// <summary>A small model's whole forward pass: graphs against eager steps, many sequences against one, and all against the CPU.</summary>
/// <remarks>Batches of one to four rows take other kernels than larger ones, and do several operations in one. In fp16 an operation rounds by
/// 2⁻¹² in the mean; three layers of some ten operations stay under 1e-2 of a row of logits, where a wrong operand is off by 1.</remarks>
public sealed class WholeForwardTests
{
    private const int Vocabulary = 1000;
    private const int BlockSize = 16;
    private const int Generated = 6;
    private const double Tolerance = 1e-2;

    private static readonly int[] PromptLengths = [19, 1, 4, 33, 7, 2, 16, 40, 11];
    private static readonly ModelConfig Config = BackendPair.MakeConfig(new AttentionLayout(8, 2, 64), hidden: 512, intermediate: 1408, layers: 3, vocabulary: Vocabulary);

    [Fact]
    public void Graphs_give_what_eager_steps_give()
    {
        Gpu.Require();
        float[][] eager = Run(Cuda(graphs: false), together: 9), graphs = Run(Cuda(graphs: true), together: 9);
        // The padding of a graph changes the number of rows and so, perhaps, the algorithm of a product.
        AssertClose(eager, graphs, Tolerance, "graphs, nine at a time");
        AssertClose(Run(Cuda(graphs: false), together: 4), Run(Cuda(graphs: true), together: 4), Tolerance, "graphs, four at a time");
    }

    [Fact]
    public void Many_together_give_what_each_gives_alone()
    {
        Gpu.Require();
        float[][] together = Run(Cuda(graphs: true), together: 9);
        AssertClose(Run(Cuda(graphs: true), together: 1), together, Tolerance, "alone");
        AssertClose(Run(Cuda(graphs: true), together: 2), together, Tolerance, "in twos");
        AssertClose(Run(Cuda(graphs: true), together: 3), together, Tolerance, "in threes");
    }

    [Fact]
    public void The_CPU_gives_the_same()
    {
        Gpu.Require();
        float[][] expected = Run(new CpuBackend(Environment.ProcessorCount, WeightPlacement.Copied), together: 9);
        foreach (int together in (int[])[1, 4, 9])
        {
            AssertClose(expected, Run(Cuda(graphs: true), together), Tolerance, $"{together} at a time");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Steps_that_sample_some_tokens_or_none_give_what_the_CPU_gives(bool graphs)
    {
        Gpu.Require();
        float[][] expected = Choices(new CpuBackend(Environment.ProcessorCount, WeightPlacement.Copied)), actual = Choices(Cuda(graphs));
        Assert.Equal(4, expected.Length);
        AssertClose(expected, actual, Tolerance, "some sampled");
        Assert.Equal(actual[1], actual[2]);
    }

    private static CudaBackend Cuda(bool graphs) => new(new CudaBackendOptions
    {
        Config = Config,
        Type = ElementType.Fp16,
        MaxStepTokens = 256,
        MaxSequences = PromptLengths.Length,
        MaxContextTokens = 64,
        Graphs = graphs,
    });

    /// <summary>Logits of the last prompt token and of each token after it, [sequence × (1 + Generated)][vocabulary]; the tokens are given, not chosen.</summary>
    private static float[][] Run(IBackend backend, int together)
    {
        using Loaded loaded = new(backend);
        float[][] logits = new float[PromptLengths.Length * (1 + Generated)][];
        for (int first = 0; first < PromptLengths.Length; first += together)
        {
            int last = Math.Min(first + together, PromptLengths.Length);
            for (int step = 0; step <= Generated; step++)
            {
                float[][] rows = loaded.Step(batch =>
                {
                    for (int sequence = first; sequence < last; sequence++)
                    {
                        Add(batch, sequence, step == 0 ? 0 : PromptLengths[sequence] + step - 1, PromptLengths[sequence] + step);
                    }
                });
                for (int row = 0; row < last - first; row++)
                {
                    logits[((first + row) * (1 + Generated)) + step] = rows[row];
                }
            }
        }

        return logits;
    }

    /// <summary>A prompt in two steps, of which the first samples nothing and the second two choices from one token, beside a sequence that decodes; then a token more of it.</summary>
    private static float[][] Choices(IBackend backend)
    {
        using Loaded loaded = new(backend);
        loaded.Step(batch => Add(batch, 1, 0, 1));
        Assert.Empty(loaded.Step(batch =>
        {
            Add(batch, 3, 0, 20);
            batch.SampleRows.Clear();
        }));
        return
        [
            .. loaded.Step(batch =>
            {
                Add(batch, 1, 1, 2);
                Add(batch, 3, 20, 33);
                Assert.Equal(14, batch.TokenCount);
                batch.SampleRows.Add(new SampleRow { TokenIndex = 13, Parameters = new SamplingParameters { Temperature = 0 }, SequenceSlot = 2, SlotIsNew = true });
            }),
            .. loaded.Step(batch => Add(batch, 3, 33, 34)),
        ];
    }

    private static void Add(Batch batch, int sequence, int from, int to)
    {
        int row = batch.SequenceCount++;
        batch.QueryStarts[row] = batch.TokenCount;
        for (int position = from; position < to; position++)
        {
            int token = batch.TokenCount++;
            batch.TokenIds[token] = ((sequence * 131) + (position * 17)) % Vocabulary;
            batch.Positions[token] = position;
            batch.SlotMapping[token] = (Block(sequence, position / BlockSize) * BlockSize) + (position % BlockSize);
        }

        batch.QueryStarts[row + 1] = batch.TokenCount;
        batch.ContextLengths[row] = batch.SequenceLengths[row] = to;
        for (int block = 0; block < 4; block++)
        {
            batch.BlockTables[(row * batch.MaxBlocksPerSequence) + block] = Block(sequence, block);
        }

        batch.SampleRows.Add(new SampleRow { TokenIndex = batch.TokenCount - 1, Parameters = new SamplingParameters { Temperature = 0 }, SequenceSlot = sequence, SlotIsNew = from == 0 });
    }

    /// <summary>Scattered: the sequences' blocks lie between each other's.</summary>
    private static int Block(int sequence, int index) => (index * PromptLengths.Length) + ((sequence * 4) % PromptLengths.Length);

    private static void AssertClose(float[][] expected, float[][] actual, double tolerance, string where)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = 0, size = 0;
            for (int v = 0; v < Vocabulary; v++)
            {
                double d = actual[i][v] - (double)expected[i][v];
                (difference, size) = (difference + (d * d), size + ((double)expected[i][v] * expected[i][v]));
            }

            Assert.True(Math.Sqrt(difference) <= tolerance * Math.Sqrt(size), $"{where}: sequence {i / (1 + Generated)}, step {i % (1 + Generated)}: off by {Math.Sqrt(difference / size):G3} (limit {tolerance})");
        }
    }

    /// <summary>The model on a backend, which goes with it.</summary>
    private sealed class Loaded : IDisposable
    {
        private readonly IBackend _backend;
        private readonly DummyWeights _source = new(ElementType.Fp16);
        private readonly TransformerWeights _weights;
        private readonly TransformerForward _forward;
        private readonly Batch _batch = new(256, PromptLengths.Length, 4);

        public Loaded(IBackend backend)
        {
            _backend = backend;
            _weights = WeightLoader.Load(Config, _source, backend, scanForNonFinite: false, mayReference: false, progress: null);
            KvCacheLayout layout = new() { LayerCount = Config.LayerCount, Attention = new AttentionLayout(8, 2, 64), BlockSize = BlockSize, BlockCount = PromptLengths.Length * 4 };
            backend.AllocateKvCache(layout, [.. Enumerable.Repeat(new RotaryFrequencies(Config.Rope, 64, Config.MaxPositions), Config.LayerCount)]);
            _forward = new TransformerForward(Config, _weights, backend, 256, PromptLengths.Length);
        }

        /// <summary>Runs what <paramref name="fill"/> adds to an empty batch.</summary>
        /// <returns>Logits of the sample rows.</returns>
        public float[][] Step(Action<Batch> fill)
        {
            long number = _batch.StepNumber;
            _batch.Clear();
            _batch.StepNumber = number + 1;
            _batch.ReturnLogits = true;
            fill(_batch);
            _backend.RunStep(_batch, _forward.Run);
            return [.. _backend.Collect().Logits.Take(_batch.SampleRows.Count * Vocabulary).Chunk(Vocabulary)];
        }

        public void Dispose()
        {
            _forward.Dispose();
            _weights.Dispose();
            _source.Dispose();
            _backend.Dispose();
        }
    }
}
