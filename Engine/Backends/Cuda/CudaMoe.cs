namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Routing and products of a mixture of experts. The host knows the number of tokens alone: who goes where is decided, counted and read on the device, so that a step can be recorded.</summary>
internal sealed unsafe class CudaMoe : IDisposable
{
    /// <summary>Most bytes of intermediate rows: a step of more tokens is taken in passes.</summary>
    private const long ScratchBytes = 512L << 20;

    private readonly CudaDevice _device;
    private readonly ExpertRouting _routing;
    private readonly int _hidden;
    private readonly int _intermediate;
    private readonly ClampedGate? _clamp;
    private readonly GroupedMatmul _gateUp;
    private readonly GroupedMatmul _down;
    private readonly CudaModule _module;
    private readonly CudaKernel _choose;
    private readonly CudaKernel _sort;
    private readonly CudaKernel _combine;
    private readonly Dictionary<MoeWeights, Layer> _layers = new(ReferenceEqualityComparer.Instance);
    private readonly DeviceBuffer _logits;
    private readonly DeviceBuffer _experts;
    private readonly DeviceBuffer _weights;
    private readonly DeviceBuffer _rows;
    private readonly DeviceBuffer _rowTokens;
    private readonly DeviceBuffer _starts;
    private readonly DeviceBuffer _tileExperts;
    private readonly DeviceBuffer _tileRows;
    private readonly DeviceBuffer _tileCount;
    private readonly DeviceBuffer _activated;
    private readonly DeviceBuffer _results;

    /// <param name="like">Any layer: all have one shape.</param>
    /// <param name="maxTokens">Most tokens of a step, padding included.</param>
    public CudaMoe(CudaDevice device, KernelCompiler compiler, MoeWeights like, bool fp16, int maxTokens)
    {
        _device = device;
        _routing = like.Routing;
        _clamp = like.Clamp;
        _hidden = like.Experts[0].Down.Outputs;
        _intermediate = like.Experts[0].Down.Inputs;
        int chosen = _routing.ChosenCount, shared = like.Shared?.Down.Inputs ?? 0;
        long tokenBytes = ((long)chosen * (_intermediate + _hidden) * 2) + (shared > 0 ? ((3L * shared) + _hidden) * 2 : 0) + (_routing.ExpertCount * 4L);
        PassTokens = (int)Math.Clamp(ScratchBytes / tokenBytes, Math.Min(maxTokens, 256), maxTokens);
        long pairs = (long)PassTokens * chosen;
        string activation = _clamp is null ? $"ACTIVATION={(int)like.Activation}" : "ACTIVATION=CLAMPED";
        _gateUp = new GroupedMatmul(device, compiler, fp16, "GATED=1", activation);
        _down = new GroupedMatmul(device, compiler, fp16);
        _module = new CudaModule(device, compiler.Compile("moe_route.cu", $"ELEM_FP16={(fp16 ? 1 : 0)}"));
        _choose = _module.Kernel("choose_experts", ((2 * _routing.ExpertCount) + _routing.GroupCount + (2 * chosen)) * sizeof(float), overlaps: true);
        _sort = _module.Kernel("sort_by_expert", _routing.ExpertCount * sizeof(int), overlaps: true);
        _combine = _module.Kernel("combine_experts", overlaps: true);
        _logits = new DeviceBuffer(device, (long)PassTokens * _routing.ExpertCount * sizeof(float), "router logits");
        _experts = new DeviceBuffer(device, pairs * sizeof(int), "chosen experts");
        _weights = new DeviceBuffer(device, pairs * sizeof(float), "weights of chosen experts");
        _rows = new DeviceBuffer(device, pairs * sizeof(int), "rows of chosen experts");
        _rowTokens = new DeviceBuffer(device, pairs * sizeof(int), "tokens of experts' rows");
        _starts = new DeviceBuffer(device, (_routing.ExpertCount + 1L) * sizeof(int), "first rows of experts");
        // The smallest tile makes the most tiles.
        long tiles = Tiles(pairs, GroupedMatmul.SmallestTile);
        _tileExperts = new DeviceBuffer(device, tiles * sizeof(int), "tiles of experts");
        _tileRows = new DeviceBuffer(device, tiles * sizeof(int), "tiles of experts");
        _tileCount = new DeviceBuffer(device, sizeof(int), "the number of tiles of experts");
        _activated = new DeviceBuffer(device, pairs * _intermediate * 2, "activations of experts");
        _results = new DeviceBuffer(device, pairs * _hidden * 2, "results of experts");
        if (like.Shared is not null)
        {
            SharedGateUp = new DeviceBuffer(device, (long)PassTokens * 2 * shared * 2, "activations of the shared expert");
            SharedActivated = new DeviceBuffer(device, (long)PassTokens * shared * 2, "activations of the shared expert");
            SharedResults = new DeviceBuffer(device, (long)PassTokens * _hidden * 2, "results of the shared expert");
        }
    }

    /// <summary>Most tokens of a pass.</summary>
    public int PassTokens { get; }

    /// <summary>[PassTokens, experts] float32, filled by the caller before <see cref="Run"/>.</summary>
    public nint Logits => _logits.Address;

    /// <summary>[PassTokens, 2 × its width]; null where no expert is shared, as the two after it.</summary>
    public DeviceBuffer? SharedGateUp { get; }

    /// <summary>[PassTokens, its width]</summary>
    public DeviceBuffer? SharedActivated { get; }

    /// <summary>[PassTokens, hidden], filled by the caller before <see cref="Run"/>.</summary>
    public DeviceBuffer? SharedResults { get; }

    /// <summary>Brings the addresses of a layer's matrices to the device.</summary>
    public void Add(MoeWeights weights) => _layers.Add(weights, new Layer(_device, weights));

    /// <summary>output = Σ weight × expert(input) over the chosen experts, + the shared expert's results.</summary>
    /// <param name="tokens">Rows of the pass.</param>
    /// <param name="first">Row of the step that is the pass's first.</param>
    /// <param name="live">Address of the number of rows of the step that are not padding; 0 where none is.</param>
    /// <param name="input">[tokens, hidden]</param>
    /// <param name="output">[tokens, hidden]</param>
    public void Run(MoeWeights weights, int tokens, int first, nint live, nint input, nint output)
    {
        Layer layer = _layers[weights];
        int chosen = _routing.ChosenCount, experts = _routing.ExpertCount;
        long pairs = (long)tokens * chosen;
        CudaLinearWeight router = (CudaLinearWeight)weights.Router;
        _choose.Launch(_device.Stream, tokens, 1, 32, _experts.Address, _weights.Address, _logits.Address, router.Bias, ((CudaTensor?)weights.ChoiceBias)?.Float32 ?? 0, live, first,
            experts, chosen, (int)_routing.Scoring, _routing.GroupCount, _routing.ChosenGroupCount, _routing.GroupScoring == ExpertGroupScoring.SumOfBestTwo ? 1 : 0, _routing.Normalize ? 1 : 0, _routing.Scale);
        int tile = GroupedMatmul.Tile(pairs / (double)experts);
        int tiles = (int)Tiles(pairs, tile);
        _sort.Launch(_device.Stream, 1, 1, 1024, _rows.Address, _rowTokens.Address, _starts.Address, _tileExperts.Address, _tileRows.Address, _tileCount.Address, _experts.Address,
            (int)pairs, chosen, experts, tile);
        _gateUp.Kernel(tile).Launch(_device.Stream, GroupedMatmul.OutputTiles(tile, 2 * _intermediate), tiles, GroupedMatmul.Threads,
            _activated.Address, input, layer.GateUp, layer.GateUpBias, _intermediate, _hidden, _intermediate, _hidden,
            _tileExperts.Address, _tileRows.Address, _starts.Address, _tileCount.Address, _rowTokens.Address, _clamp?.Alpha ?? 0, _clamp?.Limit ?? 0);
        _down.Kernel(tile).Launch(_device.Stream, GroupedMatmul.OutputTiles(tile, _hidden), tiles, GroupedMatmul.Threads,
            _results.Address, _activated.Address, layer.Down, layer.DownBias, _hidden, _intermediate, _hidden, _intermediate,
            _tileExperts.Address, _tileRows.Address, _starts.Address, _tileCount.Address, 0, 0f, 0f);
        _combine.Launch(_device.Stream, tokens, ((_hidden / 8) + 255) / 256, 256, output, _results.Address, SharedResults?.Address ?? 0, _rows.Address, _weights.Address, chosen, _hidden);
    }

    public void Dispose()
    {
        foreach (Layer layer in _layers.Values)
        {
            layer.Dispose();
        }

        foreach (DeviceBuffer? buffer in (DeviceBuffer?[])[_logits, _experts, _weights, _rows, _rowTokens, _starts, _tileExperts, _tileRows, _tileCount, _activated, _results, SharedGateUp, SharedActivated, SharedResults])
        {
            buffer?.Dispose();
        }

        _gateUp.Dispose();
        _down.Dispose();
        _module.Dispose();
    }

    /// <summary>As many tiles as so many rows can make: each expert that has rows may leave one unfilled.</summary>
    private long Tiles(long pairs, int tile) => (pairs / tile) + Math.Min(pairs, _routing.ExpertCount);

    /// <summary>Addresses of a layer's matrices and biases, on the device.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly DeviceBuffer _addresses;
        private readonly int _count;
        private readonly bool _biased;

        public Layer(CudaDevice device, MoeWeights weights)
        {
            _count = weights.Experts.Count;
            CudaLinearWeight[] gateUps = [.. weights.Experts.Select(e => (CudaLinearWeight)e.GateUp)], downs = [.. weights.Experts.Select(e => (CudaLinearWeight)e.Down)];
            _biased = gateUps[0].Bias != 0 || downs[0].Bias != 0;
            nint[] addresses = [.. gateUps.Select(w => w.Matrix), .. downs.Select(w => w.Matrix), .. gateUps.Select(w => w.Bias), .. downs.Select(w => w.Bias)];
            _addresses = DeviceBuffer.Of(device, addresses, "the addresses of experts");
        }

        public nint GateUp => _addresses.Address;

        public nint Down => Part(1);

        /// <summary>0 where there are none.</summary>
        public nint GateUpBias => _biased ? Part(2) : 0;

        /// <summary>0 where there are none.</summary>
        public nint DownBias => _biased ? Part(3) : 0;

        public void Dispose() => _addresses.Dispose();

        private nint Part(int index) => _addresses.Address + (index * _count * sizeof(nint));
    }
}
