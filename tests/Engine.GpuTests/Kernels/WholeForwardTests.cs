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
        using (backend)
        {
            using DummyWeights source = new(ElementType.Fp16);
            using TransformerWeights weights = WeightLoader.Load(Config, source, backend, scanForNonFinite: false, mayReference: false, progress: null);
            KvCacheLayout layout = new() { LayerCount = Config.LayerCount, Attention = new AttentionLayout(8, 2, 64), BlockSize = BlockSize, BlockCount = PromptLengths.Length * 4 };
            backend.AllocateKvCache(layout, [.. Enumerable.Repeat(new RotaryFrequencies(Config.Rope, 64, Config.MaxPositions), Config.LayerCount)]);
            using TransformerForward forward = new(Config, weights, backend, 256, PromptLengths.Length);
            Batch batch = new(256, PromptLengths.Length, 4);
            float[][] logits = new float[PromptLengths.Length * (1 + Generated)][];
            for (int first = 0; first < PromptLengths.Length; first += together)
            {
                int last = Math.Min(first + together, PromptLengths.Length);
                for (int step = 0; step <= Generated; step++)
                {
                    long number = batch.StepNumber;
                    batch.Clear();
                    batch.StepNumber = number + 1;
                    batch.ReturnLogits = true;
                    for (int sequence = first; sequence < last; sequence++)
                    {
                        Add(batch, sequence, step == 0 ? 0 : PromptLengths[sequence] + step - 1, PromptLengths[sequence] + step);
                    }

                    backend.RunStep(batch, forward.Run);
                    StepOutput output = backend.Collect();
                    for (int row = 0; row < last - first; row++)
                    {
                        logits[((first + row) * (1 + Generated)) + step] = output.Logits.AsSpan(row * Vocabulary, Vocabulary).ToArray();
                    }
                }
            }

            return logits;
        }
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
}
