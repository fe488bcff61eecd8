using System.Numerics;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Norms the compressed vectors, turns the position parts of queries (in place) and keys, and stores; an item is a run of tokens.</summary>
internal sealed unsafe class LatentStoreJob : KernelJob
{
    private const int TokensPerItem = 8;

    private Batch _batch = null!;
    private CpuTensor _query = null!;
    private CpuTensor _compressed = null!;
    private LatentWeights _weights = null!;
    private CpuLatentCache _cache = null!;
    private RotaryTable _rotary = null!;
    private int _layer;

    public void Run(WorkerPool pool, Batch batch, int layer, CpuTensor query, CpuTensor compressed, LatentWeights weights, CpuLatentCache cache, RotaryTable rotary)
    {
        _batch = batch;
        _layer = layer;
        _query = query;
        _compressed = compressed;
        _weights = weights;
        _cache = cache;
        _rotary = rotary;
        pool.Run(this, (batch.TokenCount + TokensPerItem - 1) / TokensPerItem);
    }

    public override void Execute(int item, int worker)
    {
        var layout = _cache.Latent;
        var end = Math.Min((item + 1) * TokensPerItem, _batch.TokenCount);
        for (var token = item * TokensPerItem; token < end; token++)
        {
            var cosine = _rotary.Cosine(token);
            var sine = _rotary.Sine(token);
            for (var head = 0; head < layout.HeadCount; head++)
            {
                Turn(new Span<float>(_query.Row(token) + (head * layout.QueryDim) + layout.ContentDim, layout.RopeDim), cosine, sine, layout.InterleavedRope);
            }

            var row = new Span<float>(_compressed.Row(token), layout.CachedDim);
            Norm(row[..layout.LatentDim], new ReadOnlySpan<float>(((CpuTensor)_weights.Norm).Data, layout.LatentDim), _weights.NormEpsilon);
            Turn(row[layout.LatentDim..], cosine, sine, layout.InterleavedRope);
            var (block, offset) = Math.DivRem(_batch.SlotMapping[token], _cache.Layout.BlockSize);
            var destination = _cache.Block(_layer, block) + (offset * _cache.RowBytes);
            switch (_cache.ElementType)
            {
                case ElementType.Fp32:
                    Store<Float32Element>(row, destination);
                    break;
                case ElementType.Fp16:
                    Store<Float16Element>(row, destination);
                    break;
                default:
                    Store<BFloat16Element>(row, destination);
                    break;
            }
        }
    }

    private static void Norm(Span<float> row, ReadOnlySpan<float> weight, float epsilon)
    {
        var squares = Vector<float>.Zero;
        var i = 0;
        for (; i + Vector<float>.Count <= row.Length; i += Vector<float>.Count)
        {
            var value = new Vector<float>(row[i..]);
            squares += value * value;
        }

        var sum = Vector.Sum(squares);
        for (; i < row.Length; i++)
        {
            sum += row[i] * row[i];
        }

        var factor = 1 / MathF.Sqrt((sum / row.Length) + epsilon);
        for (i = 0; i < row.Length; i++)
        {
            row[i] = row[i] * factor * weight[i];
        }
    }

    private static void Turn(Span<float> part, ReadOnlySpan<float> cosine, ReadOnlySpan<float> sine, bool interleaved)
    {
        var half = part.Length / 2;
        for (var i = 0; i < half; i++)
        {
            var (first, second) = interleaved ? (2 * i, (2 * i) + 1) : (i, i + half);
            var (a, b) = (part[first], part[second]);
            part[first] = (a * cosine[i]) - (b * sine[i]);
            part[second] = (b * cosine[i]) + (a * sine[i]);
        }
    }

    private static void Store<TElement>(ReadOnlySpan<float> row, byte* destination)
        where TElement : struct, IElement
    {
        for (var i = 0; i < row.Length; i++)
        {
            TElement.StoreOne(row[i], destination + ((nint)i * TElement.SizeBytes));
        }
    }
}
