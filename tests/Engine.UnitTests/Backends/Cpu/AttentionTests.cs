using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

/// <summary>Rotation, storing and attention against a plain float64 computation, over ragged batches with scattered blocks.</summary>
public sealed unsafe class AttentionTests : IDisposable
{
    private const int Layers = 2;

    private readonly CpuBackend _backend = new(3, WeightPlacement.Copied);

    public void Dispose() => _backend.Dispose();

    [Theory]
    [InlineData(4, 2, 16, 16, null, KvCacheType.Fp32)]
    [InlineData(4, 4, 8, 16, null, KvCacheType.Fp32)]
    [InlineData(6, 2, 24, 8, 20, KvCacheType.Fp32)]
    [InlineData(8, 1, 64, 32, 48, KvCacheType.Fp32)]
    [InlineData(5, 1, 80, 5, 1, KvCacheType.Fp32)]
    [InlineData(4, 2, 128, 64, 130, KvCacheType.Fp32)]
    [InlineData(40, 8, 16, 256, null, KvCacheType.Fp32)]
    [InlineData(4, 2, 32, 16, 33, KvCacheType.Bf16)]
    [InlineData(4, 2, 24, 16, null, KvCacheType.Fp16)]
    public void Ragged_batches_match_float64(int heads, int keyValueHeads, int headDim, int blockSize, int? window, KvCacheType type) =>
        Check(heads, keyValueHeads, headDim, blockSize, window, type, softCap: null, rotaryDim: headDim, areHeadsNormed: false);

    [Theory]
    [InlineData(4, 2, 16, 16, null, 2f, 16, false)]
    [InlineData(6, 2, 24, 5, 20, 0.7f, 24, false)]
    [InlineData(4, 2, 16, 16, null, null, 6, false)]
    [InlineData(5, 1, 80, 8, 33, null, 80, true)]
    [InlineData(4, 4, 40, 16, null, 3f, 20, true)]
    public void Soft_caps_norms_of_heads_and_partial_rotation_match_float64(int heads, int keyValueHeads, int headDim, int blockSize, int? window, float? softCap, int rotaryDim, bool areHeadsNormed) =>
        Check(heads, keyValueHeads, headDim, blockSize, window, KvCacheType.Fp32, softCap, rotaryDim, areHeadsNormed);

    private void Check(int heads, int keyValueHeads, int headDim, int blockSize, int? window, KvCacheType type, float? softCap, int rotaryDim, bool areHeadsNormed)
    {
        // Prompts beside decodes; the last sequence is long enough for several partitions.
        int[][] steps = [[5, 37, 130, 200], [1, 3, 1, 1], [1, 1, 40, 1]];
        var layout = new KvCacheLayout { LayerCount = Layers, Attention = new AttentionLayout(heads, keyValueHeads, headDim), BlockSize = blockSize, BlockCount = 8 + (4 * 300 / blockSize), Type = type };
        var rotary = new RotaryFrequencies(new RopeConfig(), rotaryDim, 4096);
        using var queryNorm = (CpuTensor)_backend.Allocate(1, headDim);
        using var keyNorm = (CpuTensor)_backend.Allocate(1, headDim);
        TestTensors.Fill(queryNorm, (_, column) => 1 + (0.3f * MathF.Sin(column)));
        TestTensors.Fill(keyNorm, (_, column) => 1 - (0.3f * MathF.Cos(column)));
        HeadNorms? norms = areHeadsNormed ? new HeadNorms(queryNorm, keyNorm, 1e-3f) : null;
        _backend.AllocateKvCache(layout, Enumerable.Repeat(rotary, Layers).ToArray());
        var reference = new AttentionReference(layout, rotary, window, softCap, areHeadsNormed ? (_backend.ReadBack(queryNorm, 1), _backend.ReadBack(keyNorm, 1), 1e-3f) : null);
        var lengths = new int[4];
        var blocksPerSequence = (300 + blockSize - 1) / blockSize;
        var blockIds = Enumerable.Range(0, layout.BlockCount).ToArray();
        new Random(3).Shuffle(blockIds);
        foreach (var counts in steps)
        {
            var batch = MakeBatch(counts, lengths, blockIds, blockSize, blocksPerSequence);
            using var qkv = (CpuTensor)_backend.Allocate(batch.TokenCount, layout.Attention.QkvColumns);
            using var output = (CpuTensor)_backend.Allocate(batch.TokenCount, heads * headDim);
            for (var layer = 0; layer < Layers; layer++)
            {
                var random = new Random((layer * 100) + batch.TokenCount);
                TestTensors.Fill(qkv, (_, _) => (random.NextSingle() * 4) - 2);
                TestTensors.Fill(output, (_, _) => float.NaN);
                var expected = reference.Run(batch, layer, qkv);
                var step = layer;
                _backend.RunStep(batch, current =>
                {
                    _backend.RopeAndStoreKv(current, step, qkv, norms);
                    _backend.PagedAttention(current, step, qkv, new AttentionSettings { Scale = 0.3f, Window = window, SoftCap = softCap }, output);
                });
                _backend.Collect();
                AssertClose(expected, _backend.ReadBack(output, batch.TokenCount), 2e-5);
            }
        }
    }

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"Element {i} is {actual[i]}, expected {expected[i]} ± {tolerance}.");
        }
    }

    internal static Batch MakeBatch(int[] counts, int[] lengths, int[] blockIds, int blockSize, int blocksPerSequence)
    {
        var batch = new Batch(counts.Sum(), counts.Length, blocksPerSequence);
        for (var sequence = 0; sequence < counts.Length; sequence++)
        {
            batch.QueryStarts[sequence] = batch.TokenCount;
            for (var i = 0; i < counts[sequence]; i++)
            {
                var position = lengths[sequence] + i;
                var block = blockIds[(sequence * blocksPerSequence) + (position / blockSize)];
                batch.Positions[batch.TokenCount] = position;
                batch.SlotMapping[batch.TokenCount++] = (block * blockSize) + (position % blockSize);
            }

            lengths[sequence] += counts[sequence];
            batch.ContextLengths[sequence] = batch.SequenceLengths[sequence] = lengths[sequence];
            var used = (lengths[sequence] + blockSize - 1) / blockSize;
            for (var b = 0; b < blocksPerSequence; b++)
            {
                // Entries past the sequence's end are never to be followed.
                batch.BlockTables[(sequence * blocksPerSequence) + b] = b < used ? blockIds[(sequence * blocksPerSequence) + b] : int.MaxValue;
            }
        }

        batch.SequenceCount = counts.Length;
        batch.QueryStarts[counts.Length] = batch.TokenCount;
        return batch;
    }
}
