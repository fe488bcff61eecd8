using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Causal attention over block tables with online softmax; an item is a run of one sequence's queries with all query heads of one key head.</summary>
/// <remarks>Dao et al. 2022 (online softmax), Kwon et al. 2023 (block tables). Keys are taken in partitions of whole blocks counted from
/// the start of the sequence, so a query's result does not depend on the batch, nor on how its prompt was cut into chunks.</remarks>
internal sealed unsafe class AttentionJob : KernelJob
{
    /// <summary>Rows (queries × heads) that an item aims at.</summary>
    private const int TargetRows = 16;

    /// <summary>Tokens between two updates of the running maximum.</summary>
    private const int TargetPartitionTokens = 128;

    private readonly CpuKvCache _cache;
    private readonly NativeBuffer[] _scratch;
    private readonly int _queriesPerItem;
    private readonly int _partitionBlocks;
    private readonly int _scoreStride;
    private readonly List<(int Sequence, int FirstQuery, int Head)> _items = [];
    private Batch _batch = null!;
    private CpuTensor _qkv = null!;
    private CpuTensor _output = null!;
    private int _layer;
    private int? _window;
    private float _scale;
    private float? _softCap;
    private CpuTensor? _sinks;

    public AttentionJob(CpuKvCache cache, int workers)
    {
        _cache = cache;
        var attention = cache.Layout.Attention;
        _queriesPerItem = Math.Max(1, TargetRows / attention.GroupSize);
        _partitionBlocks = Math.Max(1, TargetPartitionTokens / cache.Layout.BlockSize);
        _scoreStride = _partitionBlocks * cache.TokenStride;
        var rows = _queriesPerItem * attention.GroupSize;
        _scratch = new NativeBuffer[workers];
        for (var i = 0; i < workers; i++)
        {
            _scratch[i] = NativeBuffer.Allocate((long)rows * ((2 * attention.HeadDim) + _scoreStride + 2) * sizeof(float));
        }
    }

    public void Run(WorkerPool pool, Batch batch, int layer, CpuTensor qkv, AttentionSettings settings, CpuTensor output)
    {
        _batch = batch;
        _layer = layer;
        _qkv = qkv;
        _window = settings.Window;
        _scale = settings.Scale;
        _softCap = settings.SoftCap;
        _sinks = (CpuTensor?)settings.Sinks;
        _output = output;
        _items.Clear();
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            // The last queries see most: they come first, so that the threads end together.
            var queries = batch.QueryStarts[sequence + 1] - batch.QueryStarts[sequence];
            for (var tile = ((queries + _queriesPerItem - 1) / _queriesPerItem) - 1; tile >= 0; tile--)
            {
                for (var head = 0; head < _cache.Layout.Attention.KeyValueHeadCount; head++)
                {
                    _items.Add((sequence, tile * _queriesPerItem, head));
                }
            }
        }

        pool.Run(this, _items.Count);
    }

    public override void Execute(int item, int worker)
    {
        var (sequence, firstQuery, head) = _items[item];
        var wide = Vector512.IsHardwareAccelerated;
        switch (_cache.ElementType)
        {
            case ElementType.Fp32 when wide:
                Attend<Simd512, Vector512<float>, Float32Element>(sequence, firstQuery, head, worker);
                break;
            case ElementType.Fp32:
                Attend<Simd256, Vector256<float>, Float32Element>(sequence, firstQuery, head, worker);
                break;
            case ElementType.Fp16 when wide:
                Attend<Simd512, Vector512<float>, Float16Element>(sequence, firstQuery, head, worker);
                break;
            case ElementType.Fp16:
                Attend<Simd256, Vector256<float>, Float16Element>(sequence, firstQuery, head, worker);
                break;
            case ElementType.Bf16 when wide:
                Attend<Simd512, Vector512<float>, BFloat16Element>(sequence, firstQuery, head, worker);
                break;
            default:
                Attend<Simd256, Vector256<float>, BFloat16Element>(sequence, firstQuery, head, worker);
                break;
        }
    }

    public void DisposeBuffers()
    {
        foreach (var buffer in _scratch)
        {
            buffer.Dispose();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend<TSimd, TVector, TElement>(int sequence, int firstQuery, int head, int worker)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var attention = _cache.Layout.Attention;
        var headDim = attention.HeadDim;
        var group = attention.GroupSize;
        var start = _batch.QueryStarts[sequence];
        var queries = Math.Min(_queriesPerItem, _batch.QueryStarts[sequence + 1] - start - firstQuery);
        var rows = queries * group;
        var queryRows = (float*)_scratch[worker].Pointer;    // [rows, headDim], scaled
        var sums = queryRows + (rows * headDim);             // [rows, headDim]
        var scores = sums + (rows * headDim);                // [rows, scoreStride]
        var maxima = scores + (rows * _scoreStride);         // [rows]
        var totals = maxima + rows;                          // [rows]
        for (var q = 0; q < queries; q++)
        {
            var source = _qkv.Row(start + firstQuery + q) + (head * group * headDim);
            for (var i = 0; i < group * headDim; i++)
            {
                queryRows[(q * group * headDim) + i] = source[i] * _scale;
            }
        }

        new Span<float>(sums, rows * headDim).Clear();
        for (var r = 0; r < rows; r++)
        {
            // A sink is a key that was seen first, with a value of zero.
            maxima[r] = _sinks is null ? float.NegativeInfinity : _sinks.Data[(head * group) + (r % group)];
            totals[r] = _sinks is null ? 0 : 1;
        }

        var firstPosition = _batch.Positions[start + firstQuery];
        var end = firstPosition + queries;                   // keys that the last query sees
        var partitionTokens = _partitionBlocks * _cache.Layout.BlockSize;
        var begin = _window is { } window ? Math.Max(0, firstPosition - window + 1) : 0;
        for (var position = begin / partitionTokens * partitionTokens; position < end; position += partitionTokens)
        {
            AttendPartition<TSimd, TVector, TElement>(sequence, head, position, begin, firstPosition, end, queries, queryRows, scores, maxima, totals, sums);
        }

        for (var q = 0; q < queries; q++)
        {
            var destination = _output.Row(start + firstQuery + q) + (head * group * headDim);
            for (var g = 0; g < group; g++)
            {
                var r = (q * group) + g;
                var inverse = 1 / totals[r];
                for (var d = 0; d < headDim; d++)
                {
                    destination[(g * headDim) + d] = sums[(r * headDim) + d] * inverse;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AttendPartition<TSimd, TVector, TElement>(int sequence, int head, int position, int begin, int firstPosition, int end, int queries, float* queryRows, float* scores, float* maxima, float* totals, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var headDim = _cache.Layout.Attention.HeadDim;
        var group = _cache.Layout.Attention.GroupSize;
        var rows = queries * group;
        var blockSize = _cache.Layout.BlockSize;
        var table = _batch.BlockTables.AsSpan(sequence * _batch.MaxBlocksPerSequence, _batch.MaxBlocksPerSequence);
        var blocks = Math.Min(_partitionBlocks, (end - position + blockSize - 1) / blockSize);
        var firstBlock = position / blockSize;

        // Blocks that no query of the item sees may belong to another sequence by now.
        var firstSeen = Math.Max(0, begin - position) / blockSize;
        for (var b = firstSeen; b < blocks; b++)
        {
            var tokens = Math.Min(blockSize, end - position - (b * blockSize));
            AttentionKernel.Scores<TSimd, TVector, TElement>(queryRows, rows, headDim, _cache.Keys(_layer, table[firstBlock + b], head), _cache.TokenStride, tokens, scores + (b * _cache.TokenStride), _scoreStride);
        }

        if (_softCap is { } cap)
        {
            // Scores of tokens that are not visible may be anything, and stay so until they are overwritten.
            var scored = firstSeen * _cache.TokenStride;
            for (var r = 0; r < rows; r++)
            {
                SoftCap.Apply(scores + (r * _scoreStride) + scored, (blocks * _cache.TokenStride) - scored, cap);
            }
        }

        for (var q = 0; q < queries; q++)
        {
            var own = firstPosition + q;
            var first = _window is { } window ? Math.Max(0, own - window + 1) : 0;
            for (var g = 0; g < group; g++)
            {
                var r = (q * group) + g;
                OnlineSoftmax.Update<TSimd, TVector>(scores + (r * _scoreStride), blocks, blockSize, _cache.TokenStride, first - position, own + 1 - position, ref maxima[r], ref totals[r], sums + (r * headDim), headDim);
            }
        }

        for (var b = firstSeen; b < blocks; b++)
        {
            var tokens = Math.Min(blockSize, end - position - (b * blockSize));
            var values = _cache.Values(_layer, table[firstBlock + b], head);
            var probabilities = scores + (b * _cache.TokenStride);
            if (headDim % TSimd.Lanes == 0)
            {
                AttentionKernel.AddValues<TSimd, TVector, TElement>(probabilities, _scoreStride, rows, headDim, values, (nint)headDim * TElement.SizeBytes, tokens, sums);
            }
            else
            {
                AttentionKernel.AddValues<Simd256, Vector256<float>, TElement>(probabilities, _scoreStride, rows, headDim, values, (nint)headDim * TElement.SizeBytes, tokens, sums);
            }
        }
    }
}
