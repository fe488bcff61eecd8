using System.Numerics;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Norms query and key heads where asked, turns queries in place and keys on their way into the KV cache, and stores values; an item is a run of tokens.</summary>
/// <remarks>Dimension i is paired with i + rotaryDim / 2, as in the published weights (Su et al. 2021 pairs neighbours).</remarks>
internal sealed unsafe class RopeJob : KernelJob
{
    private const int TokensPerItem = 8;

    private Batch _batch = null!;
    private CpuTensor _qkv = null!;
    private CpuKvCache _cache = null!;
    private RotaryTable _rotary = null!;
    private HeadNorms? _norms;
    private int _layer;

    public void Run(WorkerPool pool, Batch batch, int layer, CpuTensor qkv, HeadNorms? norms, CpuKvCache cache, RotaryTable rotary)
    {
        _batch = batch;
        _layer = layer;
        _qkv = qkv;
        _norms = norms;
        _cache = cache;
        _rotary = rotary;
        pool.Run(this, (batch.TokenCount + TokensPerItem - 1) / TokensPerItem);
    }

    public override void Execute(int item, int worker)
    {
        var end = Math.Min((item + 1) * TokensPerItem, _batch.TokenCount);
        for (var token = item * TokensPerItem; token < end; token++)
        {
            var (heads, keyValueHeads, headDim) = _cache.Layout.Attention;
            var row = _qkv.Row(token);
            var cosine = _rotary.Cosine(token);
            var sine = _rotary.Sine(token);
            for (var head = 0; head < heads + keyValueHeads; head++)
            {
                var start = row + (head * headDim);
                if (_norms is { } norms)
                {
                    Norm(new Span<float>(start, headDim), ((CpuTensor)(head < heads ? norms.Query : norms.Key)).Data, norms.Epsilon);
                }

                Turn(start, cosine.Length, cosine, sine);
            }

            if (_rotary.ScalesQueries)
            {
                Scale(new Span<float>(row, heads * headDim), _rotary.QueryScale(token));
            }

            var (block, offset) = Math.DivRem(_batch.SlotMapping[token], _cache.Layout.BlockSize);
            var keys = row + (heads * headDim);
            var values = keys + (keyValueHeads * headDim);
            switch (_cache.ElementType)
            {
                case ElementType.Fp32:
                    Store<Float32Element>(keys, values, block, offset);
                    break;
                case ElementType.Fp16:
                    Store<Float16Element>(keys, values, block, offset);
                    break;
                default:
                    Store<BFloat16Element>(keys, values, block, offset);
                    break;
            }
        }
    }

    private static void Norm(Span<float> head, float* weight, float epsilon)
    {
        var squares = Vector<float>.Zero;
        var i = 0;
        for (; i + Vector<float>.Count <= head.Length; i += Vector<float>.Count)
        {
            var value = new Vector<float>(head[i..]);
            squares += value * value;
        }

        var sum = Vector.Sum(squares);
        for (; i < head.Length; i++)
        {
            sum += head[i] * head[i];
        }

        var factor = 1 / MathF.Sqrt((sum / head.Length) + epsilon);
        for (i = 0; i < head.Length; i++)
        {
            head[i] = head[i] * factor * weight[i];
        }
    }

    private static void Scale(Span<float> values, float factor)
    {
        for (var i = 0; i < values.Length; i++)
        {
            values[i] *= factor;
        }
    }

    private static void Turn(float* head, int half, ReadOnlySpan<float> cosine, ReadOnlySpan<float> sine)
    {
        var first = new Span<float>(head, half);
        var second = new Span<float>(head + half, half);
        var i = 0;
        for (; i + Vector<float>.Count <= half; i += Vector<float>.Count)
        {
            var c = new Vector<float>(cosine[i..]);
            var s = new Vector<float>(sine[i..]);
            var a = new Vector<float>(first[i..]);
            var b = new Vector<float>(second[i..]);
            ((a * c) - (b * s)).CopyTo(first[i..]);
            ((b * c) + (a * s)).CopyTo(second[i..]);
        }

        for (; i < half; i++)
        {
            (first[i], second[i]) = ((first[i] * cosine[i]) - (second[i] * sine[i]), (second[i] * cosine[i]) + (first[i] * sine[i]));
        }
    }

    private void Store<TElement>(float* keys, float* values, int block, int offset)
        where TElement : struct, IElement
    {
        var headDim = _cache.Layout.Attention.HeadDim;
        for (var head = 0; head < _cache.Layout.Attention.KeyValueHeadCount; head++)
        {
            var keyBlock = _cache.Keys(_layer, block, head) + (offset * TElement.SizeBytes);
            var valueRow = _cache.Values(_layer, block, head) + ((nint)offset * headDim * TElement.SizeBytes);
            var key = keys + (head * headDim);
            var value = values + (head * headDim);
            for (var d = 0; d < headDim; d++)
            {
                TElement.StoreOne(key[d], keyBlock + ((nint)d * _cache.TokenStride * TElement.SizeBytes));
                TElement.StoreOne(value[d], valueRow + ((nint)d * TElement.SizeBytes));
            }
        }
    }
}
