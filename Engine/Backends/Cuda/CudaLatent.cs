namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Latent attention on the device: queries are projected into the space of the cached vectors, and what they attend to is projected back.</summary>
internal sealed class CudaLatent : IDisposable
{
    /// <summary>Most bytes of projected rows: a step of more tokens is taken in passes.</summary>
    private const long ScratchBytes = 256L << 20;

    private const int MostParts = 32;
    private const int KeyTile = 32;
    private const int CtasPerMultiprocessor = 2;
    private const float Log2E = 1.4426950408889634f;

    private readonly CudaDevice _device;
    private readonly LatentLayout _layout;
    private readonly bool _fp16;
    private readonly int _passTokens;
    private readonly GroupedMatmul _products;
    private readonly Dictionary<LatentWeights, DeviceBuffer> _addresses = new(ReferenceEqualityComparer.Instance);
    private readonly DeviceBuffer _projected;
    private readonly DeviceBuffer _parts;
    private CudaKvCache? _cache;
    private CudaModule? _module;
    private CudaKernel _store;
    private CudaKernel _attend;
    private CudaKernel _merge;

    /// <param name="maxTokens">Most tokens of a step, padding included.</param>
    public CudaLatent(CudaDevice device, KernelCompiler compiler, LatentLayout layout, bool fp16, int maxTokens)
    {
        _device = device;
        _layout = layout;
        _fp16 = fp16;
        long tokenBytes = (long)layout.HeadCount * layout.LatentDim * 2;
        _passTokens = (int)Math.Clamp(ScratchBytes / tokenBytes, 1, maxTokens);
        _products = new GroupedMatmul(device, compiler, fp16, "HEADS=1");
        _projected = new DeviceBuffer(device, _passTokens * tokenBytes, "projected queries");
        _parts = new DeviceBuffer(device, (long)device.Multiprocessors * CtasPerMultiprocessor * RowTile(layout) * (layout.LatentDim + 2) * sizeof(float), "partial results of latent attention");
    }

    private int HeadGroups => (_layout.HeadCount + RowTile(_layout) - 1) / RowTile(_layout);

    /// <summary>Columns of a cached row: whole steps of the tensor cores.</summary>
    public static int CachedColumns(LatentLayout layout) => (layout.CachedDim + 15) / 16 * 16;

    /// <summary>Shared memory of the attention kernel with so many tiles of vectors at a time.</summary>
    public static int SharedBytes(LatentLayout layout, int stages)
    {
        int rows = RowTile(layout);
        return ((rows + (stages * KeyTile)) * (CachedColumns(layout) + 8) * 2) + (rows * (KeyTile + 8) * 2) + (rows * (KeyTile + 4 + 2) * sizeof(float));
    }

    /// <summary>Brings the addresses of a layer's matrices to the device.</summary>
    public void Add(LatentWeights weights) => _addresses.Add(weights, DeviceBuffer.Of<nint>(_device,
        [.. weights.KeyProjections.Concat(weights.ValueProjections).Select(w => ((CudaLinearWeight)w).Matrix)], "the addresses of heads"));

    /// <summary>Compiles what depends on the cache.</summary>
    public void Use(CudaKvCache cache, KernelCompiler compiler)
    {
        _cache = cache;
        int stages = SharedBytes(_layout, 2) <= _device.MaxSharedBytesPerBlock ? 2 : 1;
        _module?.Dispose();
        _module = new CudaModule(_device, compiler.Compile("attention_latent.cu", $"HEADS={_layout.HeadCount}", $"CONTENT={_layout.ContentDim}", $"ROPE={_layout.RopeDim}",
            $"LATENT={_layout.LatentDim}", $"BLOCK_SIZE={cache.Layout.BlockSize}", $"INTERLEAVED={(_layout.InterleavedRope ? 1 : 0)}", $"STAGES={stages}", $"ELEM_FP16={(_fp16 ? 1 : 0)}"));
        _store = _module.Kernel("store_latent", overlaps: true);
        _attend = _module.Kernel("attention_latent", SharedBytes(_layout, stages), overlaps: true);
        _merge = _module.Kernel("merge_latent", overlaps: true);
    }

    /// <summary>Norms, turns and stores a step's tokens.</summary>
    /// <param name="cosSin">[rows, RopeDim / 2]</param>
    /// <param name="angleRows">[tokens] of it.</param>
    public void Store(int rows, int layer, CudaTensor query, CudaTensor compressed, LatentWeights weights, nint cosSin, nint angleRows, nint slots) =>
        _store.Launch(_device.Stream, rows, 1, 256, query.Address, compressed.Address, _cache!.Keys(layer), ((CudaTensor)weights.Norm).Address, cosSin, angleRows, slots, weights.NormEpsilon);

    /// <summary>Attention of the first <paramref name="rows"/> tokens of a step.</summary>
    public void Attend(StepArena arena, int rows, int layer, CudaTensor query, LatentWeights weights, float scale, CudaTensor output)
    {
        nint keys = _addresses[weights].Address, values = keys + (_layout.HeadCount * nint.Size);
        for (int first = 0; first < rows; first += _passTokens)
        {
            int tokens = Math.Min(_passTokens, rows - first);
            nint queries = query.Address + (nint)((long)first * query.Columns * 2);
            Multiply(tokens, queries, _layout.QueryDim, _layout.ContentDim, keys, _projected.Address, _layout.LatentDim, _layout.HeadCount * _layout.LatentDim);
            int tiles = tokens * HeadGroups, parts = Math.Clamp(_device.Multiprocessors * CtasPerMultiprocessor / tiles, 1, MostParts);
            nint sequences = arena.Sequences + (first * sizeof(int));
            _attend.Launch(_device.Stream, tiles, parts, 256, _projected.Address, queries, _cache!.Keys(layer), arena.Tables, arena.TableStride,
                arena.Positions + (first * sizeof(int)), sequences, _parts.Address, scale * Log2E);
            if (parts > 1)
            {
                _merge.Launch(_device.Stream, tokens * _layout.HeadCount, 1, 128, _projected.Address, _parts.Address, sequences, parts);
            }

            Multiply(tokens, _projected.Address, _layout.LatentDim, _layout.LatentDim, values, output.Address + (nint)((long)first * output.Columns * 2), _layout.ValueDim, output.Columns);
        }
    }

    public void Dispose()
    {
        foreach (DeviceBuffer addresses in _addresses.Values)
        {
            addresses.Dispose();
        }

        _products.Dispose();
        _projected.Dispose();
        _parts.Dispose();
        _module?.Dispose();
    }

    /// <summary>Heads that a CTA takes.</summary>
    private static int RowTile(LatentLayout layout) => layout.HeadCount <= 16 ? 16 : 32;

    /// <summary>Each head's matrix with that head's part of every row.</summary>
    /// <param name="inputStep">Columns from one head's input to the next.</param>
    /// <param name="outputStride">Columns from one row of the output to the next.</param>
    private void Multiply(int rows, nint input, int inputStep, int inputs, nint weights, nint output, int outputs, int outputStride)
    {
        int tile = GroupedMatmul.Tile(rows), heads = _layout.HeadCount;
        _products.Kernel(tile).Launch(_device.Stream, GroupedMatmul.OutputTiles(tile, outputs), heads * ((rows + tile - 1) / tile), GroupedMatmul.Threads,
            output, input, weights, 0, outputs, inputs, outputStride, heads * inputStep, rows, outputs, inputStep);
    }
}
