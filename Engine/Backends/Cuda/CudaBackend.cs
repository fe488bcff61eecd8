using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Runs steps on an NVIDIA GPU: fp16 or bf16 with float32 sums, own kernels and cuBLASLt, decode steps as CUDA graphs.</summary>
/// <remarks>All work of a step is queued on one stream; the host waits in <see cref="Collect"/> alone, so it plans and sends the next
/// step while this one runs. What a sequence gets may differ in the last bits between batch sizes: matrix products choose their
/// algorithm by the number of rows. Sampling with a seed draws the same numbers whatever the batch.</remarks>
internal sealed unsafe partial class CudaBackend : IBackend
{
    private const int GateThreads = 128;
    private const int GateChunks = 4;

    /// <summary>By <see cref="Activation"/>.</summary>
    private static readonly string[] ActivationKernels = ["silu_mul", "gelu_mul", "gelu_tanh_mul", "relu_mul"];

    private readonly CudaDevice _device;
    private readonly CudaBackendOptions _options;
    private readonly KernelCompiler _compiler;
    private readonly Matmul _matmul;
    private readonly WeightUploader _uploader;
    private readonly DecodeGraphs _graphs;
    private readonly bool _fp16;
    private readonly int _elementType;
    private readonly List<CudaLinearWeight> _linears = [];
    private readonly AttentionLayout _layout;
    private readonly Action<Batch> _recordedForward;
    private CudaModule? _elementwise;
    private CudaKernel _embed;
    private CudaKernel _norm;
    private CudaKernel _rope;
    private CudaKernel _foldNorm;
    private CudaModule? _ropeModule;
    private CudaKernel _ropeHeads;
    private CudaKernel[] _gates = [];
    private CudaKernel _clampedGate;
    private CudaKernel _capLogits;
    private CudaKernel _gather;
    private CudaKernel _copyBlocks;
    private CudaKernel _feedBack;
    private CudaKernel _fill;
    private CudaKvCache? _cache;
    private CudaAttention? _attention;
    private CudaSampler? _sampler;
    private StepArena? _arena;
    private CudaRotary? _rotary;
    private DeviceBuffer? _logits;
    private DeviceBuffer? _gathered;
    private DeviceBuffer? _copies;
    private int _sampleRows;
    private int _rows;
    private bool _recording;
    private bool _onlySampleRows;
    private Action<Batch>? _forward;

    public string Name => $"{_device.Name} (CUDA device {_device.Ordinal}, sm_{_device.ComputeCapability}, {(_fp16 ? "fp16" : "bf16")})";

    public int MaxStepsInFlight => 2;

    /// <summary>For measuring: the device whose stream the operations are queued on.</summary>
    public CudaDevice Device => _device;

    public long FreeBytes
    {
        get
        {
            (long free, long total) = _device.Memory();
            return Math.Max(0, free - (long)(total * (1 - _options.MemoryShare)));
        }
    }

    public (long Free, long Total)? DeviceMemory => _device.Memory();

    public DeviceTimes Times => _sampler?.Times ?? default;

    /// <summary>All that is left, less what tuning takes for a moment and the step's own arrays.</summary>
    public long DefaultKvCacheBytes => Math.Max(0, FreeBytes - (512L << 20));

    public long KvBlockBytes(KvCacheLayout layout) => CudaKvCache.BlockBytes(layout);

    public bool PrefersMapped(long weightBytes) => false;

    public DeviceTensor Allocate(int rows, int columns)
    {
        _device.MakeCurrent();
        columns = Padded(columns);
        // Decode graphs round the number of rows up.
        DeviceBuffer buffer = new(_device, (long)(rows + _options.MaxSequences) * columns * 2, $"activations of {rows:N0} tokens");
        Driver.FillAsync(buffer.Address, 0, (nuint)buffer.Bytes, _device.Stream).Check();
        return new CudaTensor(rows + _options.MaxSequences, columns, buffer.Address, buffer);
    }

    public void RunStep(Batch batch, Action<Batch> forward)
    {
        _device.MakeCurrent();
        EnsureArena(batch);
        bool decode = _options.Graphs && IsPlainDecode(batch);
        int bucket = decode ? _graphs.Bucket(batch.SequenceCount) : 0;
        int block = _cache!.Layout.BlockSize;
        _arena!.Fill(batch, bucket, _cache.Layout.BlockCount * block);
        Span<SampleSetting> settings = _arena.SettingsOnHost(batch.SampleRows.Count);
        for (int i = 0; i < settings.Length; i++)
        {
            settings[i] = new SampleSetting(batch.SampleRows[i]);
        }

        _rotary!.Fill(batch, _arena);
        _arena.Send(batch, block);
        _sampler!.MarkBegin();
        CopyBlocks(batch);
        if (batch.Feedback.Count > 0)
        {
            _feedBack.Launch(_device.Stream, (batch.Feedback.Count + 127) / 128, 1, 128,
                _arena.TokenIds, _sampler!.Tokens, _arena.FeedbackTargets, _arena.FeedbackSources, batch.Feedback.Count);
        }

        ForgetWaiting();
        _forward = forward;
        // A recorded step has a row for each sequence, all of them sampled.
        _onlySampleRows = decode;
        if (!decode)
        {
            _rows = batch.TokenCount;
            Forward(batch);
            LaunchWaiting();
            return;
        }

        _rows = bucket;
        _recording = true;
        try
        {
            _graphs.Run(bucket, batch, _recordedForward);
        }
        finally
        {
            _recording = false;
        }

        Sample(batch);
    }

    public void Embed(Batch batch, DeviceTensor table, float scale, DeviceTensor hidden)
    {
        LaunchWaiting();
        CudaTensor source = (CudaTensor)table;
        _embed.Launch(_device.Stream, _rows, 1, 256, ((CudaTensor)hidden).Address, source.Address, _arena!.TokenIds, source.Columns, scale);
    }

    public void RmsNorm(Batch batch, DeviceTensor hidden, DeviceTensor weight, float epsilon, DeviceTensor output) =>
        AddAndNorm((CudaTensor)hidden, null, (CudaTensor)weight, epsilon, (CudaTensor)output);

    public void AddRmsNorm(Batch batch, DeviceTensor hidden, DeviceTensor delta, DeviceTensor weight, float epsilon, DeviceTensor output) =>
        AddAndNorm((CudaTensor)hidden, (CudaTensor)delta, (CudaTensor)weight, epsilon, (CudaTensor)output);

    public void Linear(Batch batch, DeviceTensor input, LinearWeight weight, DeviceTensor output)
    {
        CudaTensor source = (CudaTensor)input;
        Multiply(_rows, source, source.Address, (CudaLinearWeight)weight, _elementType, ((CudaTensor)output).Address);
    }

    public void RopeAndStoreKv(Batch batch, int layer, DeviceTensor qkv, HeadNorms? norms)
    {
        CudaTensor source = (CudaTensor)qkv;
        int rotaryDim = _rotary!.RotaryDim(layer);
        nint rows = _rotary.Rows(layer, _arena!), scales = _rotary.QueryScales(layer);
        RotaryTarget target = new(_cache!.Keys(layer), _cache.Values(layer), _rotary.CosSin(layer), rows, _arena!.Slots, _layout.HeadCount, _layout.KeyValueHeadCount);
        bool plain = norms is null && scales == 0;
        if (plain && rotaryDim == _layout.HeadDim && Continue(source, ProductEpilogue.RotateAndStore, source.Address, target))
        {
            return;
        }

        Unfinished left = LaunchUnfinished(source);
        // The plain kernel moves pieces of four elements of either half.
        if (plain && rotaryDim % 8 == 0)
        {
            _rope.Launch(_device.Stream, _rows, 1, 256, source.Address, target.Keys, target.Values, target.CosSin, target.Positions, target.Slots,
                target.Heads, target.KeyValueHeads, rotaryDim, left.Input, left.Inputs, left.Epsilon, left.Bias);
            return;
        }

        if (_ropeModule is null)
        {
            LoadRopeHeads(_cache.Layout.BlockSize);
        }

        CudaTensor? query = (CudaTensor?)norms?.Query, key = (CudaTensor?)norms?.Key;
        _ropeHeads.Launch(_device.Stream, _rows, 1, 256, source.Address, target.Keys, target.Values, target.CosSin, target.Positions, target.Slots,
            target.Heads, target.KeyValueHeads, rotaryDim, query?.Address ?? 0, key?.Address ?? 0, norms?.Epsilon ?? 0, query?.Offset ?? 0, scales, _arena.Positions,
            left.Input, left.Inputs, left.Epsilon, left.Bias);
    }

    public void PagedAttention(Batch batch, int layer, DeviceTensor qkv, AttentionSettings settings, DeviceTensor output)
    {
        LaunchProduct();
        LaunchNormOf((CudaTensor)qkv);
        _lastWeight = null;
        _attention!.Run(_arena!, layer, (CudaTensor)qkv, settings, (CudaTensor)output, _recording, DecodingSequences, nextMayStart: _rows <= VectorMatmul.MaxRows);
    }

    public void GatedActivation(Batch batch, DeviceTensor gateUp, Activation activation, DeviceTensor output)
    {
        CudaTensor source = (CudaTensor)gateUp, target = (CudaTensor)output;
        if (activation != Activation.Silu || !Continue(source, ProductEpilogue.SiluMul, target.Address, default))
        {
            Gate(activation, null, _rows, target.Columns, source.Address, target.Address, LaunchUnfinished(source));
        }
    }

    public void KeepSampleRows(Batch batch, params ReadOnlySpan<(DeviceTensor Source, DeviceTensor Target)> tensors)
    {
        LaunchProduct();
        ForgetWaiting();
        foreach ((DeviceTensor source, DeviceTensor target) in tensors)
        {
            Gather(batch, (CudaTensor)source, ((CudaTensor)target).Address);
        }

        _rows = batch.SampleRows.Count;
        _onlySampleRows = true;
    }

    public void Logits(Batch batch, DeviceTensor hidden, LinearWeight weight, float? softCap)
    {
        CudaTensor source = (CudaTensor)hidden;
        int rows = _onlySampleRows ? _rows : batch.SampleRows.Count;
        if (rows == 0)
        {
            ForgetWaiting();
            return;
        }

        nint input = source.Address;
        if (!_onlySampleRows)
        {
            LaunchWaiting();
            Gather(batch, source, _gathered!.Address);
            input = _gathered.Address;
        }

        Multiply(rows, _onlySampleRows ? source : null, input, (CudaLinearWeight)weight, CublasLt.Real32F, _logits!.Address);
        LaunchProduct();
        if (softCap is { } cap)
        {
            long count = (long)rows * weight.Outputs;
            _capLogits.Launch(_device.Stream, (int)Math.Min((count + 255) / 256, _device.Multiprocessors * 8), 1, 256, _logits!.Address, count, cap);
        }
    }

    public void Sample(Batch batch)
    {
        if (!_recording)
        {
            _sampler!.Run(batch, _arena!, _logits!.Address);
        }
    }

    public StepOutput Collect()
    {
        _device.MakeCurrent();
        return _sampler!.Collect();
    }

    public float[] ReadBack(DeviceTensor tensor, int rows)
    {
        LaunchWaiting();
        CudaTensor source = (CudaTensor)tensor;
        ushort[] raw = new ushort[rows * source.Columns];
        fixed (ushort* p = raw)
        {
            Driver.CopyToHostAsync(p, source.Address, (nuint)raw.Length * 2, _device.Stream).Check();
        }

        _device.Synchronize();
        return Array.ConvertAll(raw, bits => _fp16 ? (float)BitConverter.UInt16BitsToHalf(bits) : BitConverter.UInt32BitsToSingle((uint)bits << 16));
    }

    public void Dispose()
    {
        _device.MakeCurrent();
        Driver.ContextSynchronize();
        _graphs.Dispose();
        _uploader.Dispose();
        _sampler?.Dispose();
        _attention?.Dispose();
        _moe?.Dispose();
        _latent?.Dispose();
        _cache?.Dispose();
        _arena?.Dispose();
        _rotary?.Dispose();
        _logits?.Dispose();
        _gathered?.Dispose();
        _copies?.Dispose();
        _elementwise?.Dispose();
        _ropeModule?.Dispose();
        _matmul.Dispose();
        _device.Dispose();
    }

    /// <summary>Sequences that bring one token; in a recording the most that it is replayed for.</summary>
    private int DecodingSequences => _recording ? _rows : _arena!.DecodeItems;

    /// <summary>One token per sequence, each sampled, in order: what the graphs record.</summary>
    private static bool IsPlainDecode(Batch batch)
    {
        if (!batch.IsDecodeOnly || batch.SampleRows.Count != batch.SequenceCount)
        {
            return false;
        }

        for (int i = 0; i < batch.SampleRows.Count; i++)
        {
            if (batch.SampleRows[i].TokenIndex != i)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A step's kernels up to the logits: what a graph records.</summary>
    private void Forward(Batch batch)
    {
        _attention?.Begin(_arena!, DecodingSequences);
        _forward!(batch);
    }

    private void Gather(Batch batch, CudaTensor source, nint target) =>
        _gather.Launch(_device.Stream, batch.SampleRows.Count, 1, 256, target, source.Address, _arena!.LogitRows, source.Columns);

    private void CopyBlocks(Batch batch)
    {
        int count = batch.BlockCopies.Count;
        if (count == 0)
        {
            return;
        }

        if (_copies is null || _copies.Bytes < count * 8L)
        {
            _device.Synchronize();
            _copies?.Dispose();
            _copies = new DeviceBuffer(_device, Math.Max(count * 16L, 4096), "block copies");
        }

        // Rare (a fork's first write), so plain copies from a stack of pairs. The list is in order: what one pair writes
        // another may have read or written before, and such pairs may not run side by side.
        int[] pairs = new int[count * 2];
        for (int i = 0; i < count; i++)
        {
            (pairs[2 * i], pairs[(2 * i) + 1]) = batch.BlockCopies[i];
        }

        fixed (int* p = pairs)
        {
            Driver.CopyToDeviceAsync(_copies.Address, p, (nuint)pairs.Length * sizeof(int), _device.Stream).Check();
        }

        HashSet<int> touched = [];
        int first = 0;
        for (int i = 0; i <= count; i++)
        {
            if (i == count || (i > first && (touched.Contains(pairs[2 * i]) || touched.Contains(pairs[(2 * i) + 1]))))
            {
                _copyBlocks.Launch(_device.Stream, i - first, _cache!.TensorCount, 256, _cache.Addresses, _copies.Address + (first * 2 * sizeof(int)), _cache.BlockElements);
                touched.Clear();
                first = i;
            }

            if (i < count)
            {
                // Two reads of one block do no harm, but keeping them apart costs a launch at most.
                touched.Add(pairs[2 * i]);
                touched.Add(pairs[(2 * i) + 1]);
            }
        }
    }
}
