using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Causal attention of projected queries to compressed vectors with online softmax; an item is a run of one sequence's queries with some of their heads.</summary>
/// <remarks>All heads share the vectors, whose latent part is also what is summed. Partitions are counted from the start of the
/// sequence, and sums are added in an order that the number of rows does not change, so a query's result depends neither on the
/// batch nor on how its prompt was cut into chunks.</remarks>
internal sealed unsafe class LatentAttentionJob : KernelJob
{
    /// <summary>Rows (queries × heads) that an item aims at.</summary>
    private const int TargetRows = 16;

    /// <summary>Most heads of an item: a single query still keeps several threads busy.</summary>
    private const int MaxHeads = 8;

    /// <summary>Tokens between two updates of the running maximum.</summary>
    private const int TargetPartitionTokens = 128;

    private readonly CpuLatentCache _cache;
    private readonly NativeBuffer[] _scratch;
    private readonly int _attendedStride;
    private readonly int _headsPerItem;
    private readonly int _queriesPerItem;
    private readonly int _partitionBlocks;
    private readonly int _blockStride;
    private readonly int _scoreStride;
    private readonly List<(int Sequence, int FirstToken, int Queries, int FirstHead)> _items = [];
    private Batch _batch = null!;
    private CpuTensor _query = null!;
    private CpuTensor _projected = null!;
    private CpuTensor _output = null!;
    private int _layer;
    private int _start;
    private float _scale;

    /// <param name="attendedStride">Floats from one head's result to the next, whole vectors.</param>
    public LatentAttentionJob(CpuLatentCache cache, int workers, int attendedStride)
    {
        _cache = cache;
        _attendedStride = attendedStride;
        _headsPerItem = Math.Min(MaxHeads, cache.Latent.HeadCount);
        _queriesPerItem = Math.Max(1, TargetRows / _headsPerItem);
        _partitionBlocks = Math.Max(1, TargetPartitionTokens / cache.Layout.BlockSize);
        _blockStride = (cache.Layout.BlockSize + CpuKvCache.TokenTile - 1) / CpuKvCache.TokenTile * CpuKvCache.TokenTile;
        _scoreStride = _partitionBlocks * _blockStride;
        _scratch = new NativeBuffer[workers];
        for (var i = 0; i < workers; i++)
        {
            _scratch[i] = NativeBuffer.Allocate((long)_headsPerItem * _queriesPerItem * (cache.RowColumns + cache.Latent.LatentDim + _scoreStride + 2) * sizeof(float));
        }
    }

    /// <param name="start">First token of the batch to attend for.</param>
    /// <param name="tokens">How many.</param>
    /// <param name="query">[batch tokens, heads × QueryDim]; the position parts are read.</param>
    /// <param name="projected">[tokens, heads × latent]</param>
    /// <param name="output">[tokens, heads × attendedStride]; what pads a head is set to 0.</param>
    public void Run(WorkerPool pool, Batch batch, int layer, int start, int tokens, CpuTensor query, CpuTensor projected, float scale, CpuTensor output)
    {
        _batch = batch;
        _layer = layer;
        _start = start;
        _query = query;
        _projected = projected;
        _scale = scale;
        _output = output;
        _items.Clear();
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            var first = Math.Max(start, batch.QueryStarts[sequence]);
            var end = Math.Min(start + tokens, batch.QueryStarts[sequence + 1]);

            // The last queries see most: they come first, so that the threads end together.
            for (var tile = ((end - first + _queriesPerItem - 1) / _queriesPerItem) - 1; tile >= 0; tile--)
            {
                var token = first + (tile * _queriesPerItem);
                for (var head = 0; head < _cache.Latent.HeadCount; head += _headsPerItem)
                {
                    _items.Add((sequence, token, Math.Min(_queriesPerItem, end - token), head));
                }
            }
        }

        pool.Run(this, _items.Count);
    }

    public override void Execute(int item, int worker)
    {
        var wide = Vector512.IsHardwareAccelerated;
        switch (_cache.ElementType)
        {
            case ElementType.Fp32 when wide:
                Attend<Simd512, Vector512<float>, Float32Element>(item, worker);
                break;
            case ElementType.Fp32:
                Attend<Simd256, Vector256<float>, Float32Element>(item, worker);
                break;
            case ElementType.Fp16 when wide:
                Attend<Simd512, Vector512<float>, Float16Element>(item, worker);
                break;
            case ElementType.Fp16:
                Attend<Simd256, Vector256<float>, Float16Element>(item, worker);
                break;
            case ElementType.Bf16 when wide:
                Attend<Simd512, Vector512<float>, BFloat16Element>(item, worker);
                break;
            default:
                Attend<Simd256, Vector256<float>, BFloat16Element>(item, worker);
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
    private void Attend<TSimd, TVector, TElement>(int item, int worker)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var (sequence, firstToken, queries, firstHead) = _items[item];
        var heads = Math.Min(_headsPerItem, _cache.Latent.HeadCount - firstHead);
        var rows = queries * heads;
        var latent = _cache.Latent.LatentDim;
        var queryRows = (float*)_scratch[worker].Pointer;    // [rows, RowColumns], scaled
        var sums = queryRows + (rows * _cache.RowColumns);   // [rows, latent]
        var scores = sums + (rows * latent);                 // [rows, scoreStride]
        var maxima = scores + (rows * _scoreStride);         // [rows]
        var totals = maxima + rows;                          // [rows]
        LoadQueries(firstToken, queries, firstHead, heads, queryRows);
        new Span<float>(sums, rows * latent).Clear();
        new Span<float>(maxima, rows).Fill(float.NegativeInfinity);
        new Span<float>(totals, rows).Clear();

        var firstPosition = _batch.Positions[firstToken];
        var end = firstPosition + queries;                   // vectors that the last query sees
        var blockSize = _cache.Layout.BlockSize;
        var table = _batch.BlockTables.AsSpan(sequence * _batch.MaxBlocksPerSequence, _batch.MaxBlocksPerSequence);
        for (var position = 0; position < end; position += _partitionBlocks * blockSize)
        {
            var blocks = Math.Min(_partitionBlocks, (end - position + blockSize - 1) / blockSize);
            var firstBlock = position / blockSize;
            new Span<float>(scores, rows * _scoreStride).Clear();
            for (var b = 0; b < blocks; b++)
            {
                Score<TSimd, TVector, TElement>(queryRows, rows, _cache.Block(_layer, table[firstBlock + b]), Math.Min(blockSize, end - position - (b * blockSize)), scores + (b * _blockStride));
            }

            for (var r = 0; r < rows; r++)
            {
                OnlineSoftmax.Update<TSimd, TVector>(scores + (r * _scoreStride), blocks, blockSize, _blockStride, 0, firstPosition + (r / heads) + 1 - position, ref maxima[r], ref totals[r], sums + (r * latent), latent);
            }

            for (var b = 0; b < blocks; b++)
            {
                var tokens = Math.Min(blockSize, end - position - (b * blockSize));
                var values = _cache.Block(_layer, table[firstBlock + b]);
                if (latent % TSimd.Lanes == 0)
                {
                    AttentionKernel.AddValues<TSimd, TVector, TElement>(scores + (b * _blockStride), _scoreStride, rows, latent, values, _cache.RowBytes, tokens, sums);
                }
                else
                {
                    AttentionKernel.AddValues<Simd256, Vector256<float>, TElement>(scores + (b * _blockStride), _scoreStride, rows, latent, values, _cache.RowBytes, tokens, sums);
                }
            }
        }

        for (var r = 0; r < rows; r++)
        {
            var destination = new Span<float>(_output.Row(firstToken - _start + (r / heads)) + ((firstHead + (r % heads)) * _attendedStride), _attendedStride);
            var inverse = 1 / totals[r];
            for (var d = 0; d < latent; d++)
            {
                destination[d] = sums[(r * latent) + d] * inverse;
            }

            destination[latent..].Clear();
        }
    }

    /// <summary>Puts a query's projected content part before its position part, as vectors are cached.</summary>
    private void LoadQueries(int firstToken, int queries, int firstHead, int heads, float* queryRows)
    {
        var layout = _cache.Latent;
        for (var q = 0; q < queries; q++)
        {
            for (var h = 0; h < heads; h++)
            {
                var row = new Span<float>(queryRows + (((q * heads) + h) * _cache.RowColumns), _cache.RowColumns);
                var content = new ReadOnlySpan<float>(_projected.Row(firstToken - _start + q) + ((firstHead + h) * layout.LatentDim), layout.LatentDim);
                var position = new ReadOnlySpan<float>(_query.Row(firstToken + q) + ((firstHead + h) * layout.QueryDim) + layout.ContentDim, layout.RopeDim);
                content.CopyTo(row);
                position.CopyTo(row[layout.LatentDim..]);
                row[layout.CachedDim..].Clear();
                for (var d = 0; d < layout.CachedDim; d++)
                {
                    row[d] *= _scale;
                }
            }
        }
    }

    /// <summary>Adds to scores[r, t] the product of query r and the block's vector t, four vectors at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Score<TSimd, TVector, TElement>(float* queryRows, int rows, byte* block, int tokens, float* scores)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var rowBytes = _cache.RowBytes;
        for (var t = 0; t < tokens; t += LinearKernel.TileOutputs)
        {
            // A last tile of fewer vectors reads its last one again; what that gives is not looked at.
            var w0 = block + (t * rowBytes);
            var w1 = w0 + (t + 1 < tokens ? rowBytes : 0);
            var w2 = w1 + (t + 2 < tokens ? rowBytes : 0);
            var w3 = w2 + (t + 3 < tokens ? rowBytes : 0);
            for (var k = 0; k < _cache.RowColumns; k += LinearKernel.BlockInputs)
            {
                var offset = (nint)k * TElement.SizeBytes;
                LinearKernel.AddBlock<TSimd, TVector, TElement>(w0 + offset, w1 + offset, w2 + offset, w3 + offset, LinearKernel.TileOutputs * rowBytes, queryRows + k, _cache.RowColumns, rows, Math.Min(LinearKernel.BlockInputs, _cache.RowColumns - k), scores + t, _scoreStride);
            }
        }
    }
}
