using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Paged attention on the device: sequences with one new token by the split decode kernel, prompt chunks by a tensor-core kernel.</summary>
internal sealed class CudaAttention : IDisposable
{
    public const int MaxHeadDim = 256;
    public const int MaxGroup = 16;

    private const int DecodeThreads = 128;
    private const int WarpTokens = 16;
    private const int DecodeCtasPerMultiprocessor = 2;
    private const int HopperKeyTile = 128;
    private const int StartBytes = 64;

    // Tiles of queries with fewer keys before them gain from running into one another, those with more lose. Measured on an H200:
    // 32 × 256 13 % faster, 2 × 4096 9 to 20 % slower; docs/performance.md has the table.
    private const int FewKeys = 1024;
    private const float Log2E = 1.4426950408889634f;

    private readonly CudaDevice _device;
    private readonly CudaKvCache _cache;
    private readonly AttentionLayout _layout;
    private readonly KernelCompiler _compiler;
    private readonly Dictionary<(bool SoftCap, bool Sinks), Kernels> _kernels = [];
    private readonly AttentionTiling _tiling;
    private readonly bool _hopper;
    private readonly bool _bulkCopies;
    private readonly Dictionary<int, DeviceBuffer> _starts = [];
    private readonly bool _fp16;
    private readonly int _decodeGrid;
    private readonly DeviceBuffer _parts;
    private readonly DeviceBuffer _arrivals;
    private readonly DeviceBuffer? _maps;
    private nint _mappedQueries;
    private Kernels? _prepared;

    public CudaAttention(CudaDevice device, KernelCompiler compiler, CudaKvCache cache, bool fp16, int maxSequences)
    {
        _device = device;
        _cache = cache;
        _fp16 = fp16;
        _layout = cache.Layout.Attention;
        int dim = _layout.HeadDim, group = _layout.GroupSize, block = cache.Layout.BlockSize;
        if (dim % 8 != 0 || dim > MaxHeadDim || group > MaxGroup || block % WarpTokens != 0)
        {
            throw new CudaException($"The CUDA attention kernels take head dims that are multiples of 8 up to {MaxHeadDim}, up to {MaxGroup} query heads per key head and blocks of a multiple of {WarpTokens} tokens; "
                + $"the model has head dim {dim} and {group} query heads per key head, and blocks have {block} tokens. Use the CPU backend.");
        }

        _compiler = compiler;
        _tiling = AttentionTiling.For(_layout, device.MaxSharedBytesPerBlock);
        _decodeGrid = device.Multiprocessors * DecodeCtasPerMultiprocessor;
        _parts = new DeviceBuffer(device, (long)_decodeGrid * 2 * (((group * (dim + 2)) + 3) & ~3) * sizeof(float), "partial results of attention");
        _arrivals = new DeviceBuffer(device, (long)maxSequences * _layout.KeyValueHeadCount * sizeof(int), "counters of attention");
        Driver.FillAsync(_arrivals.Address, 0, (nuint)_arrivals.Bytes, device.Stream).Check();

        _hopper = device.ComputeCapability == 90 && dim is 64 or 128 && HopperKeyTile % block == 0;
        if (_hopper)
        {
            QueryTile = 128;
            _maps = new DeviceBuffer(device, ((2 * cache.Layout.LayerCount) + 1) * TensorMap.Bytes, "tensor maps");
            ulong[] shape = [(ulong)dim, (ulong)block, (ulong)_layout.KeyValueHeadCount, (ulong)cache.Layout.BlockCount + 1];
            uint[] box = [64, (uint)block, 1, 1];
            for (int layer = 0; layer < cache.Layout.LayerCount; layer++)
            {
                TensorMap.Write(device, KeyMap(layer), cache.Keys(layer), fp16, shape, box, swizzles: false);
                TensorMap.Write(device, ValueMap(layer), cache.Values(layer), fp16, shape, box, swizzles: false);
            }
        }
        else
        {
            QueryTile = _tiling.QueryTile;
        }

        _bulkCopies = device.ComputeCapability == 90 && dim % 64 == 0;
    }

    /// <summary>Queries per tile of the prompt kernel.</summary>
    public int QueryTile { get; }

    private nint QueryMap => _maps!.Address + (2 * _cache.Layout.LayerCount * TensorMap.Bytes);

    /// <summary>Compiles the kernels of models with these features, which other models' kernels leave out; otherwise the first layer that needs them does.</summary>
    /// <param name="windows">Of all layers.</param>
    public void Prepare(bool softCap, bool sinks, IEnumerable<int?> windows)
    {
        _prepared = Of(softCap, sinks);
        foreach (int? window in windows.Distinct())
        {
            _starts[window ?? 0] = new DeviceBuffer(_device, (long)_decodeGrid * StartBytes, "shares of attention");
        }
    }

    /// <summary>Queues what finds each CTA's share of the sequences that bring one token. Before anything else of a step: attention reads it while the kernel before it still runs.</summary>
    /// <param name="sequences">As for <see cref="Run"/>.</param>
    public void Begin(StepArena arena, int sequences)
    {
        if (sequences == 0)
        {
            return;
        }

        foreach ((int window, DeviceBuffer starts) in _starts)
        {
            _prepared!.Starts.Launch(_device.Stream, DecodeGrid(sequences), 1, 32, starts.Address, arena.Tables, arena.Contexts, arena.DecodeSequences, arena.DecodeTileStarts(window == 0 ? null : window),
                arena.DecodeCount, arena.TableStride, _layout.KeyValueHeadCount, window);
        }
    }

    /// <summary>Queues attention of a step's tokens in one layer.</summary>
    /// <param name="recording">The step is being recorded: decode only, counts are read on the device.</param>
    /// <param name="sequences">Those that bring one token; in a recording the most that it is replayed for.</param>
    /// <param name="nextMayStart">The product that follows leaves room beside attention, so it may read its weights ahead.</param>
    public void Run(StepArena arena, int layer, CudaTensor qkv, in AttentionSettings settings, CudaTensor output, bool recording, int sequences, bool nextMayStart)
    {
        int? window = settings.Window;
        int slidingWindow = window ?? 0;
        float scale = settings.Scale, capLog2 = (settings.SoftCap ?? 0) * Log2E, capSlope = 2 * scale * Log2E / (settings.SoftCap ?? 1);
        nint sinks = ((CudaTensor?)settings.Sinks)?.Address ?? 0;
        Kernels kernels = Of(settings.SoftCap is not null, sinks != 0);
        if (arena.DecodeItems > 0 || recording)
        {
            kernels.Decode.Launch(_device.Stream, DecodeGrid(sequences), 1, DecodeThreads,
                output.Address, qkv.Address, _cache.Keys(layer), _cache.Values(layer), arena.Tables, arena.QueryStarts, arena.Contexts,
                arena.DecodeSequences, arena.DecodeTileStarts(window), _starts[slidingWindow].Address, _parts.Address, _arrivals.Address,
                _layout.KeyValueHeadCount, slidingWindow, scale * Log2E, nextMayStart ? 1 : 0, capSlope, capLog2, sinks);
        }

        if (arena.PromptTiles == 0 || recording)
        {
            return;
        }

        if (_hopper)
        {
            MapQueries(qkv);
            int work = arena.PromptTiles * _layout.HeadCount;
            CudaKernel kernel = Math.Min(arena.PromptKeysPerTile, window ?? int.MaxValue) < FewKeys ? kernels.ShortPrompt : kernels.Prompt;
            kernel.Launch(_device.Stream, Math.Min(work, _device.Multiprocessors), 1, 384,
                output.Address, QueryMap, KeyMap(layer), ValueMap(layer), arena.Tables, arena.QueryStarts, arena.Contexts,
                arena.PromptSequences, arena.PromptQueries, work, arena.TableStride, _cache.Layout.BlockCount + 1, _layout.KeyValueHeadCount, slidingWindow, scale * Log2E, capSlope, capLog2, sinks);
        }
        else
        {
            kernels.Prompt.Launch(_device.Stream, arena.PromptTiles, _layout.HeadCount, 128,
                output.Address, qkv.Address, _cache.Keys(layer), _cache.Values(layer), arena.Tables, arena.QueryStarts, arena.Contexts,
                arena.PromptSequences, arena.PromptQueries, arena.TableStride, _layout.KeyValueHeadCount, slidingWindow, scale * Log2E, capSlope, capLog2, sinks);
        }
    }

    public void Dispose()
    {
        _maps?.Dispose();
        foreach (DeviceBuffer starts in _starts.Values)
        {
            starts.Dispose();
        }

        _parts.Dispose();
        _arrivals.Dispose();
        foreach (Kernels kernels in _kernels.Values)
        {
            kernels.Dispose();
        }
    }

    /// <summary>As many CTAs as fit, or a few less if shares then end where heads do in batches of one length: what a share cuts apart has to be put together.</summary>
    private int DecodeGrid(int sequences)
    {
        int items = sequences * _layout.KeyValueHeadCount;
        for (int grid = _decodeGrid; grid > _decodeGrid - (_decodeGrid / 16); grid--)
        {
            if (items % grid == 0 || grid % items == 0)
            {
                return grid;
            }
        }

        return _decodeGrid;
    }

    private Kernels Of(bool softCap, bool sinks)
    {
        if (!_kernels.TryGetValue((softCap, sinks), out Kernels? kernels))
        {
            string[] definitions = [$"HEAD_DIM={_layout.HeadDim}", $"GROUP={_layout.GroupSize}", $"BLOCK_SIZE={_cache.Layout.BlockSize}", $"ELEM_FP16={(_fp16 ? 1 : 0)}",
                .. softCap ? (string[])["SOFT_CAP=1"] : [], .. sinks ? (string[])["SINKS=1"] : []];
            kernels = new Kernels(_device, _compiler, definitions, _layout, _tiling, _hopper, _bulkCopies);
            _kernels[(softCap, sinks)] = kernels;
        }

        return kernels;
    }

    private nint KeyMap(int layer) => _maps!.Address + (2 * layer * TensorMap.Bytes);

    private nint ValueMap(int layer) => KeyMap(layer) + TensorMap.Bytes;

    /// <summary>The forward pass has one tensor of queries, so this writes once.</summary>
    private void MapQueries(CudaTensor qkv)
    {
        if (_mappedQueries != qkv.Address)
        {
            TensorMap.Write(_device, QueryMap, qkv.Address, _fp16, [(ulong)qkv.Columns, (ulong)qkv.Rows], [64, (uint)QueryTile]);
            _mappedQueries = qkv.Address;
        }
    }

    /// <summary>The kernels of layers with the same features.</summary>
    private sealed class Kernels : IDisposable
    {
        private readonly List<CudaModule> _modules = [];

        public Kernels(CudaDevice device, KernelCompiler compiler, string[] definitions, AttentionLayout layout, AttentionTiling tiling, bool hopper, bool bulkCopies)
        {
            int dim = layout.HeadDim;
            CudaModule decode = Module("attention_decode", $"STAGES={tiling.DecodeStages}", $"BULK_COPIES={(bulkCopies ? 1 : 0)}");
            Decode = decode.Kernel("attention_decode", tiling.DecodeSharedBytes(layout, bulkCopies), overlaps: true);
            Starts = decode.Kernel("attention_decode_starts", overlaps: true);
            if (hopper)
            {
                int shared = (2 * 128 * dim * 2) + (4 * HopperKeyTile * dim * 2) + 96 + 1024;
                Prompt = Kernel("attention_prompt_hopper", shared, "ACROSS_TILES=0");
                ShortPrompt = Kernel("attention_prompt_hopper", shared, "ACROSS_TILES=1");
            }
            else
            {
                Prompt = Kernel("attention_prompt", tiling.PromptSharedBytes(layout), $"ROW_TILES={tiling.QueryTiles}", $"KEY_TILE={tiling.KeyTile}");
            }

            CudaKernel Kernel(string name, int sharedBytes, params ReadOnlySpan<string> more) => Module(name, more).Kernel(name, sharedBytes, overlaps: true);

            CudaModule Module(string name, params ReadOnlySpan<string> more)
            {
                CudaModule module = new(device, compiler.Compile(name + ".cu", [.. definitions, .. more]));
                _modules.Add(module);
                return module;
            }
        }

        public CudaKernel Decode { get; }

        /// <summary>Finds where each CTA of <see cref="Decode"/> begins.</summary>
        public CudaKernel Starts { get; }

        public CudaKernel Prompt { get; }

        /// <summary>Hopper's, for tiles of queries with few keys before them.</summary>
        public CudaKernel ShortPrompt { get; }

        public void Dispose() => _modules.ForEach(module => module.Dispose());
    }
}
