using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

/// <summary>Attention over compressed vectors against the plain way in float64: keys and values of every head are made and attended to.</summary>
public sealed unsafe class LatentAttentionTests : IDisposable
{
    private const int Layers = 2;
    private const float Epsilon = 1e-3f;
    private const float Scale = 0.21f;

    private readonly CpuBackend _backend = new(3, WeightPlacement.Copied);
    private readonly TestTensors _tensors = new();

    public void Dispose()
    {
        _backend.Dispose();
        _tensors.Dispose();
    }

    [Theory]
    [InlineData(4, 16, 8, 32, 16, true, 16, KvCacheType.Fp32)]
    [InlineData(4, 16, 16, 32, 24, false, 16, KvCacheType.Fp32)]
    [InlineData(3, 8, 8, 40, 16, true, 5, KvCacheType.Fp32)]
    [InlineData(20, 32, 16, 48, 32, true, 64, KvCacheType.Fp32)]
    [InlineData(1, 24, 8, 1040, 8, true, 256, KvCacheType.Fp32)]
    [InlineData(4, 16, 8, 32, 16, true, 1, KvCacheType.Fp16)]
    [InlineData(9, 16, 8, 24, 16, true, 16, KvCacheType.Bf16)]
    public void Ragged_batches_match_float64(int heads, int content, int rope, int latent, int value, bool interleaved, int blockSize, KvCacheType type)
    {
        var shape = new LatentLayout(heads, content, rope, latent, value, interleaved);
        var layout = new KvCacheLayout
        {
            LayerCount = Layers,
            Attention = new AttentionLayout(heads, 1, shape.CachedDim),
            Latent = shape,
            BlockSize = blockSize,
            BlockCount = 8 + (4 * 300 / blockSize),
            Type = type,
        };
        var rotary = new RotaryFrequencies(new RopeConfig(), rope, 4096);
        _backend.AllocateKvCache(layout, [.. Enumerable.Repeat(rotary, Layers)]);
        Assert.Equal((long)Layers * blockSize * CpuTensor.Pad(latent + rope) * (type is KvCacheType.Fp32 ? 4 : 2), _backend.KvBlockBytes(layout));
        var projections = new Projections(this, shape);
        using var weights = projections.Weights;
        var history = new Dictionary<(int Layer, int Sequence), List<(double[] Keys, double[] Values)>>();
        var lengths = new int[4];
        var blocksPerSequence = (300 + blockSize - 1) / blockSize;
        var blockIds = Enumerable.Range(0, layout.BlockCount).ToArray();
        new Random(5).Shuffle(blockIds);
        foreach (var counts in (int[][])[[5, 37, 130, 200], [1, 3, 1, 1], [1, 1, 40, 1]])
        {
            var batch = AttentionTests.MakeBatch(counts, lengths, blockIds, blockSize, blocksPerSequence);
            using var query = (CpuTensor)_backend.Allocate(batch.TokenCount, heads * shape.QueryDim);
            using var compressed = (CpuTensor)_backend.Allocate(batch.TokenCount, shape.CachedDim);
            using var output = (CpuTensor)_backend.Allocate(batch.TokenCount, heads * value);
            for (var layer = 0; layer < Layers; layer++)
            {
                var random = new Random((layer * 100) + batch.TokenCount);
                TestTensors.Fill(query, (_, _) => (random.NextSingle() * 4) - 2);
                TestTensors.Fill(compressed, (_, _) => (random.NextSingle() * 4) - 2);
                TestTensors.Fill(output, (_, _) => float.NaN);
                var expected = Reference(batch, layer, query, compressed, shape, projections, rotary, type, history);
                var current = layer;
                _backend.RunStep(batch, step =>
                {
                    _backend.RopeAndStoreLatent(step, current, query, compressed, weights);
                    _backend.LatentAttention(step, current, query, weights, Scale, output);
                });
                _backend.Collect();
                var actual = _backend.ReadBack(output, batch.TokenCount);
                for (var i = 0; i < expected.Length; i++)
                {
                    Assert.True(Math.Abs(expected[i] - actual[i]) <= 3e-4, $"Element {i} is {actual[i]}, expected {expected[i]}.");
                }
            }
        }
    }

    private static double[] Reference(Batch batch, int layer, CpuTensor query, CpuTensor compressed, LatentLayout shape, Projections projections, RotaryFrequencies rotary, KvCacheType type, Dictionary<(int Layer, int Sequence), List<(double[] Keys, double[] Values)>> history)
    {
        var output = new double[batch.TokenCount * shape.HeadCount * shape.ValueDim];
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            if (!history.TryGetValue((layer, sequence), out var past))
            {
                history[(layer, sequence)] = past = [];
            }

            for (var token = batch.QueryStarts[sequence]; token < batch.QueryStarts[sequence + 1]; token++)
            {
                past.Add(Cached(new Span<float>(compressed.Row(token), shape.CachedDim).ToArray(), batch.Positions[token]));
                for (var head = 0; head < shape.HeadCount; head++)
                {
                    var q = new Span<float>(query.Row(token) + (head * shape.QueryDim), shape.QueryDim).ToArray().Select(x => (double)x).ToArray();
                    Turn(q, shape.ContentDim, batch.Positions[token]);
                    Attend(q, past, head).CopyTo(output, ((token * shape.HeadCount) + head) * shape.ValueDim);
                }
            }
        }

        return output;

        // [heads, QueryDim] and [heads, ValueDim]
        (double[] Keys, double[] Values) Cached(float[] row, int position)
        {
            var mean = row.Take(shape.LatentDim).Average(x => (double)x * x);
            var result = row.Select((x, i) => i < shape.LatentDim ? x / Math.Sqrt(mean + Epsilon) * projections.Norm[i] : x).ToArray();
            Turn(result, shape.LatentDim, position);
            result = [.. result.Select(x => Round((float)x))];
            var heads = Enumerable.Range(0, shape.HeadCount);
            return (
                [.. heads.SelectMany(head => Enumerable.Range(0, shape.ContentDim).Select(n => projections.Key(head, n, result)).Concat(result.Skip(shape.LatentDim)))],
                [.. heads.SelectMany(head => Enumerable.Range(0, shape.ValueDim).Select(v => projections.Value(head, v, result)))]);
        }

        double Round(float x)
        {
            ushort stored;
            switch (type)
            {
                case KvCacheType.Fp16:
                    return (double)(Half)x;
                case KvCacheType.Bf16:
                    BFloat16Element.StoreOne(x, (byte*)&stored);
                    return BFloat16Element.LoadOne((byte*)&stored);
                default:
                    return x;
            }
        }

        void Turn(double[] row, int offset, int position)
        {
            var (cosine, sine) = (new float[shape.RopeDim / 2], new float[shape.RopeDim / 2]);
            rotary.Angles(position, position + 1, cosine, sine);
            for (var i = 0; i < cosine.Length; i++)
            {
                var a = offset + (shape.InterleavedRope ? 2 * i : i);
                var b = shape.InterleavedRope ? a + 1 : a + cosine.Length;
                (row[a], row[b]) = ((row[a] * cosine[i]) - (row[b] * sine[i]), (row[b] * cosine[i]) + (row[a] * sine[i]));
            }
        }

        double[] Attend(double[] q, List<(double[] Keys, double[] Values)> past, int head)
        {
            var scores = new double[past.Count];
            for (var j = 0; j < past.Count; j++)
            {
                for (var d = 0; d < q.Length; d++)
                {
                    scores[j] += Scale * q[d] * past[j].Keys[(head * q.Length) + d];
                }
            }

            var largest = scores.Max();
            var total = scores.Sum(score => Math.Exp(score - largest));
            var result = new double[shape.ValueDim];
            for (var j = 0; j < past.Count; j++)
            {
                var weight = Math.Exp(scores[j] - largest) / total;
                for (var v = 0; v < shape.ValueDim; v++)
                {
                    result[v] += weight * past[j].Values[(head * shape.ValueDim) + v];
                }
            }

            return result;
        }
    }

    /// <summary>Random projections from compressed vectors to keys and values.</summary>
    private sealed class Projections
    {
        private readonly LatentLayout _shape;
        private readonly List<float[]> _keys = [];
        private readonly List<float[]> _values = [];

        public Projections(LatentAttentionTests test, LatentLayout shape)
        {
            _shape = shape;
            Norm = test._tensors.Add("norm", ElementType.Fp32, 1, shape.LatentDim);
            var (keys, values) = (new List<LinearWeight>(), new List<LinearWeight>());
            for (var head = 0; head < shape.HeadCount; head++)
            {
                keys.Add(Load($"key.{head}", shape.LatentDim, shape.ContentDim, _keys));
                values.Add(Load($"value.{head}", shape.ValueDim, shape.LatentDim, _values));
            }

            Weights = new LatentWeights { Norm = test._backend.LoadVector(test._tensors.Read(new ExpectedTensor("norm", 1, shape.LatentDim)), 0), NormEpsilon = Epsilon, KeyProjections = keys, ValueProjections = values };

            LinearWeight Load(string name, int outputs, int inputs, List<float[]> kept)
            {
                kept.Add(test._tensors.Add(name, ElementType.Bf16, outputs, inputs, 2 / MathF.Sqrt(shape.LatentDim)));
                return test._backend.LoadLinear(name, [new LinearPart(new ExpectedTensor(name, outputs, inputs), null)], test._tensors.Reader(mayReference: false));
            }
        }

        public float[] Norm { get; }

        public LatentWeights Weights { get; }

        /// <summary>Dimension n of a head's key, from a cached vector.</summary>
        public double Key(int head, int n, double[] row)
        {
            var sum = 0.0;
            for (var i = 0; i < _shape.LatentDim; i++)
            {
                sum += _keys[head][(i * _shape.ContentDim) + n] * row[i];
            }

            return sum;
        }

        public double Value(int head, int v, double[] row)
        {
            var sum = 0.0;
            for (var i = 0; i < _shape.LatentDim; i++)
            {
                sum += _values[head][(v * _shape.LatentDim) + i] * row[i];
            }

            return sum;
        }
    }
}
