using Fastgen.Engine.Backends.Cuda.Interop;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cuda;

/// <content>What happens once: compiling, memory, tuning.</content>
internal sealed unsafe partial class CudaBackend
{
    private static readonly int[] PromptRows = [512, 1024, 2048, 4096];

    /// <exception cref="CudaException">No usable device or library, or a model that the kernels cannot run.</exception>
    public CudaBackend(CudaBackendOptions options)
    {
        if (options.Type == ElementType.Fp32)
        {
            throw new CudaException("The CUDA backend computes in fp16 or bf16, but fp32 was asked for; choose one of these or the CPU backend.");
        }

        ModelConfig config = options.Config;
        _options = options;
        _recordedForward = Forward;
        _layout = new AttentionLayout(config.HeadCount, config.KeyValueHeadCount, config.HeadDim);
        _device = CudaDevice.Open(options.Device);
        try
        {
            _fp16 = options.Type == ElementType.Fp16;
            _elementType = _fp16 ? CublasLt.Real16F : CublasLt.Real16BF;
            _compiler = new KernelCompiler(_device.Architecture, options.CacheFolder, file => options.Report?.Invoke($"Compiling {file} for {_device.Architecture}"));
            _matmul = new Matmul(_device, _compiler, options.CacheFolder, config.HeadDim);
            _uploader = new WeightUploader(_device, options.Type);
            _graphs = new DecodeGraphs(_device, options.MaxSequences);
            AllocateRows(options.MaxSequences, options.MaxSequences);
        }
        catch
        {
            _device.Dispose();
            throw;
        }
    }

    public void AllocateKvCache(KvCacheLayout layout, IReadOnlyList<RotaryFrequencies> rotary)
    {
        _device.MakeCurrent();
        CompileElementwise(layout.BlockSize);
        FoldNorms();
        _matmul.SetBlockSize(layout.BlockSize);
        _rotary = new CudaRotary(_device, rotary, _options.MaxContextTokens, _options.MaxStepTokens);
        Tune();
        _cache = new CudaKvCache(_device, layout);
        if (layout.Latent is null)
        {
            _attention = new CudaAttention(_device, _compiler, _cache, _fp16, _options.MaxSequences);
            _attention.Prepare(_options.Config.AttentionSoftCap is not null, _options.Config.Architecture.AttentionSinks, _options.Config.SlidingWindows);
        }
        else
        {
            _latent!.Use(_cache, _compiler);
        }

        _device.Synchronize();
    }

    private void CompileElementwise(int blockSize)
    {
        // Norms of compressed queries are narrower or wider than the residual stream's: the kernel must hold both.
        int hidden = Math.Max(_options.Config.HiddenSize, _options.Config.Latent?.QueryRank ?? 0), threads = NormThreads(hidden);
        _elementwise = new CudaModule(_device, _compiler.Compile("elementwise.cu",
            $"HEAD_DIM={_layout.HeadDim}", $"BLOCK_SIZE={blockSize}", $"ELEM_FP16={(_fp16 ? 1 : 0)}",
            $"NORM_THREADS={threads}", $"NORM_CHUNKS={((hidden / 8) + threads - 1) / threads}", $"GATE_CHUNKS={GateChunks}"));
        _embed = _elementwise.Kernel("embed", overlaps: true);
        _norm = _elementwise.Kernel("add_rms_norm", overlaps: true);
        _rope = _elementwise.Kernel("rope_store_kv", overlaps: true);
        _foldNorm = _elementwise.Kernel("fold_norm");
        _gates = [.. ActivationKernels.Select(name => _elementwise.Kernel(name, overlaps: true))];
        _clampedGate = _elementwise.Kernel("clamped_mul", overlaps: true);
        _capLogits = _elementwise.Kernel("cap_logits", overlaps: true);
        _gather = _elementwise.Kernel("gather_rows", overlaps: true);
        _copyBlocks = _elementwise.Kernel("copy_blocks");
        _feedBack = _elementwise.Kernel("feed_back");
        _fill = _elementwise.Kernel("fill_random");
        if (_options.Config.Architecture.HeadNorms)
        {
            LoadRopeHeads(blockSize);
        }
    }

    /// <summary>The rotation that most models do without: where nothing tells beforehand that one needs it, the first step does.</summary>
    private void LoadRopeHeads(int blockSize)
    {
        _ropeModule = new CudaModule(_device, _compiler.Compile("rope_heads.cu", $"HEAD_DIM={_layout.HeadDim}", $"BLOCK_SIZE={blockSize}", $"ELEM_FP16={(_fp16 ? 1 : 0)}"));
        _ropeHeads = _ropeModule.Kernel("rope_heads", overlaps: true);
    }

    /// <summary>Finds the fastest algorithm of each matrix product for the row counts that steps will have.</summary>
    private void Tune()
    {
        List<int> rows = [.. _graphs.Buckets, .. PromptRows.Where(r => r > _options.MaxSequences && r < _options.MaxStepTokens), _options.MaxStepTokens];
        var shapes = _linears.GroupBy(l => (l.Outputs, l.Inputs, Bias: l.Bias != 0 && !l.FloatOutput && !l.HoldsNorm, l.HoldsNorm, Head: l.Outputs == _options.Config.VocabularySize, l.FloatOutput)).ToList();
        int most = Math.Max(_options.MaxStepTokens, _options.MaxSequences);
        long inputElements = (long)most * _linears.Max(l => l.Inputs);
        long outputBytes = Math.Max(
            (long)most * _linears.Where(l => l.Outputs != _options.Config.VocabularySize).Select(l => l.Outputs * (l.FloatOutput ? 2 : 1)).DefaultIfEmpty(8).Max() * 2,
            (long)_options.MaxSequences * _options.Config.VocabularySize * sizeof(float));
        using DeviceBuffer input = new(_device, inputElements * 2, "tuning");
        using DeviceBuffer output = new(_device, outputBytes, "tuning");
        _fill.Launch(_device.Stream, _device.Multiprocessors * 8, 1, 256, input.Address, inputElements, 1, 1f);
        bool told = false;
        foreach (var shape in shapes)
        {
            List<nint> weights = [.. shape.Take(16).Select(l => l.Matrix)];
            ProductEpilogue after = shape.Key.Head ? ProductEpilogue.Store : Follows(shape.Key.Outputs);
            // The input of what goes to the residual stream is not normed; all else of a decode step is.
            InputNorm norm = shape.Key.HoldsNorm ? InputNorm.Folded : shape.Key.Outputs == _options.Config.HiddenSize ? InputNorm.None : InputNorm.Weighted;
            foreach (int count in rows.Where(r => !shape.Key.Head || r <= _options.MaxSequences))
            {
                MatmulShape product = new(count, shape.Key.Outputs, shape.Key.Inputs, _elementType, shape.Key.Head || shape.Key.FloatOutput ? CublasLt.Real32F : _elementType, shape.Key.Bias);
                Action? separately = after == ProductEpilogue.SiluMul && _options.Config.Activation == Activation.Silu
                    ? () => Gate(Activation.Silu, null, count, shape.Key.Outputs / 2, output.Address, output.Address) : null;
                if (_matmul.Tune(product, input.Address, weights, shape.First().Bias, output.Address, norm, after, separately) && !told)
                {
                    told = true;
                    _options.Report?.Invoke("Timing matrix products for this model and GPU (first start only)");
                }
            }
        }

        _matmul.SaveTuning();
        _device.Synchronize();
    }

    /// <summary>What comes after a product of this width. Should two of a model have the same width, only what is saved is estimated wrongly, and a kernel loaded later.</summary>
    private ProductEpilogue Follows(int outputs) =>
        outputs == _options.Config.HiddenSize ? _options.Config.Architecture.Weights.AttentionOutputNorm is null ? ProductEpilogue.Add : ProductEpilogue.Store
        : outputs == _options.Config.QkvSize ? ProductEpilogue.RotateAndStore
        : outputs == 2 * _options.Config.IntermediateSize ? ProductEpilogue.SiluMul
        : ProductEpilogue.Store;

    /// <summary>Makes what grows with the number of sample rows.</summary>
    private void AllocateRows(int rows, int slots)
    {
        _logits?.Dispose();
        _gathered?.Dispose();
        _sampler?.Dispose();
        _logits = new DeviceBuffer(_device, (long)rows * _options.Config.VocabularySize * sizeof(float), "logits");
        _gathered = new DeviceBuffer(_device, (long)rows * _options.Config.HiddenSize * 2, "rows to sample");
        _sampler = new CudaSampler(_device, _compiler, _options.Config.VocabularySize, rows, slots, _options.MaxContextTokens);
        _sampleRows = rows;
    }

    /// <summary>The first batch tells the sizes of the engine's arrays; tests may bring larger ones later.</summary>
    private void EnsureArena(Batch batch)
    {
        int sequences = batch.ContextLengths.Length;
        if (sequences > _options.MaxSequences || batch.TokenIds.Length > _options.MaxStepTokens)
        {
            throw new ArgumentException($"The batch has room for {sequences} sequences and {batch.TokenIds.Length} tokens, but the backend was set up for {_options.MaxSequences} and {_options.MaxStepTokens}.", nameof(batch));
        }

        if (_arena is not null && _arena.MaxBlocks >= batch.MaxBlocksPerSequence && _sampleRows >= batch.SampleRows.Count)
        {
            return;
        }

        // Addresses change: what was recorded no longer holds.
        _device.Synchronize();
        _graphs.Dispose();
        _arena?.Dispose();
        int rows = Math.Max(batch.SampleRows.Count, _options.MaxSequences);
        if (rows > _sampleRows)
        {
            AllocateRows(rows, _options.MaxSequences);
        }

        int?[] windows = [.. _options.Config.SlidingWindows.Distinct()];
        _arena = new StepArena(_device, _options.MaxStepTokens, _options.MaxSequences, batch.MaxBlocksPerSequence, _sampleRows, windows, _attention?.QueryTile ?? 128,
            bySequence: _latent is not null, _rotary!.LengthDependentKinds);
    }
}
