using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Sampling;

namespace Fastgen.Tools.FgBench.Gpu;

/// <summary>Attention, elementwise kernels and sampling through the CUDA backend's own operations, at the shapes of a model.</summary>
internal sealed class GpuStepKernels : IDisposable
{
    private const int MaxTokens = 16384;
    private const int MaxSequences = 256;
    private const int BlockSize = 64;
    private const int Layers = 2;
    private const int SampledRows = 256;
    private const int SampleRuns = 21;
    private const int ElementwiseRows = 8192;

    // Uniform numbers of this size make logits with a standard deviation of about three, as models have.
    private const float HiddenScale = 5.2f;

    // 256 sequences at 4,096 tokens.
    private const int BlockCount = 256 * 4096 / BlockSize;

    private readonly ModelConfig _config;
    private readonly CudaBackend _backend;
    private readonly CudaDevice _device;
    private readonly CudaModule _elementwise;
    private readonly LinearWeight _head;
    private readonly List<DeviceTensor> _tensors = [];
    private readonly DeviceTensor _qkv;
    private readonly DeviceTensor _attended;
    private readonly Batch _batch;
    private readonly int[] _blocks;

    private GpuStepKernels(ModelConfig config, int deviceIndex)
    {
        _config = config;
        _backend = new CudaBackend(new CudaBackendOptions
        {
            Config = config,
            Device = deviceIndex,
            MaxStepTokens = MaxTokens,
            MaxSequences = MaxSequences,
            MaxContextTokens = MaxTokens,
            Graphs = false,
            Report = Console.Error.WriteLine,
        });
        _device = _backend.Device;
        _elementwise = new CudaModule(_device, new KernelCompiler(_device.Architecture, KernelCompiler.DefaultCacheFolder).Compile("elementwise.cu"));
        using (var source = new DummyWeights(ElementType.Bf16))
        {
            var reader = new WeightReader(source, 1, scanForNonFinite: false, mayReference: false, progress: null);
            _head = _backend.LoadLinear("lm_head", [new LinearPart(new ExpectedTensor("lm_head", config.VocabularySize, config.HiddenSize), null)], reader);
            _device.Synchronize();
        }

        _qkv = Tensor(MaxTokens, config.QkvSize, 1, 1f);
        _attended = Tensor(MaxTokens, config.AttentionSize, 2, 1f);
        _backend.AllocateKvCache(
            new KvCacheLayout { LayerCount = Layers, Attention = new AttentionLayout(config.HeadCount, config.KeyValueHeadCount, config.HeadDim), BlockSize = BlockSize, BlockCount = BlockCount },
            RotaryFrequencies.OfLayers(config));
        _batch = new Batch(MaxTokens, MaxSequences, MaxTokens / BlockSize);
        // Blocks lie anywhere, as they do in a pool that has been used for a while.
        _blocks = [.. Enumerable.Range(0, BlockCount)];
        new Random(1).Shuffle(_blocks);
    }

    public static void Measure(ModelConfig config, int deviceIndex, Action<GpuKernelFigure> report)
    {
        using var kernels = new GpuStepKernels(config, deviceIndex);
        kernels.FillCache();
        foreach ((int sequences, int context) in ((int, int)[])[(1, 1088), (8, 1088), (32, 1088), (128, 1088), (256, 1088), (1, 16384), (64, 4096), (256, 4096)])
        {
            report(kernels.DecodeAttention(sequences, context));
        }

        foreach ((int sequences, int tokens) in ((int, int)[])[(8, 1024), (16, 512), (2, 4096), (1, 8192), (1, 16384)])
        {
            report(kernels.PromptAttention(sequences, tokens));
        }

        kernels.Elementwise(report);
        foreach ((string name, SamplingParameters parameters) in new[]
        {
            ("greedy", new SamplingParameters { Temperature = 0 }),
            ("temperature", new SamplingParameters { Temperature = 1 }),
            ("top-p 0.9", new SamplingParameters { Temperature = 1, TopP = 0.9f }),
            ("top-k 50, top-p", new SamplingParameters { Temperature = 1, TopK = 50, TopP = 0.9f }),
        })
        {
            report(kernels.Sampling(name, parameters));
        }
    }

    public void Dispose()
    {
        _device.Synchronize();
        _tensors.ForEach(tensor => tensor.Dispose());
        _head.Dispose();
        _elementwise.Dispose();
        _backend.Dispose();
    }

    private GpuKernelFigure DecodeAttention(int sequences, int context)
    {
        _batch.Clear();
        for (int i = 0; i < sequences; i++)
        {
            AddSequence(i, context - 1, 1, context);
        }

        double bytes = 4.0 * sequences * context * _config.KeyValueHeadCount * _config.HeadDim;
        return new GpuKernelFigure("decode_attention", $"{sequences} x {context}", TimeAttention()) { Bytes = bytes };
    }

    private GpuKernelFigure PromptAttention(int sequences, int tokens)
    {
        _batch.Clear();
        for (int i = 0; i < sequences; i++)
        {
            AddSequence(i, 0, tokens, tokens);
        }

        double seen = Window is { } w && w < tokens ? ((double)w * tokens) - ((double)w * w / 2) : (double)tokens * tokens / 2;
        return new GpuKernelFigure("prompt_attention", $"{sequences} x {tokens}, causal", TimeAttention()) { Flops = 4.0 * sequences * _config.AttentionSize * seen };
    }

    private int? Window => _config.SlidingWindows[0];

    private double TimeAttention()
    {
        float scale = (float)(1 / Math.Sqrt(_config.HeadDim));
        int layer = 0;
        return InStep(batch => GpuTimer.Median(_device, () => _backend.PagedAttention(batch, layer++ % Layers, _qkv, new AttentionSettings { Scale = scale, Window = Window }, _attended)));
    }

    private void Elementwise(Action<GpuKernelFigure> report)
    {
        const double Rows = ElementwiseRows;
        DeviceTensor hidden = Tensor(ElementwiseRows, _config.HiddenSize, 3, 1f), delta = Tensor(ElementwiseRows, _config.HiddenSize, 4, 1e-3f), normed = Tensor(ElementwiseRows, _config.HiddenSize, 5, 1f);
        DeviceTensor weight = Tensor(1, _config.HiddenSize, 6, 1f), gateUp = Tensor(ElementwiseRows, 2 * _config.IntermediateSize, 7, 1f), activated = Tensor(ElementwiseRows, _config.IntermediateSize, 8, 1f);
        _batch.Clear();
        AddSequence(0, 0, ElementwiseRows, ElementwiseRows);
        report(new GpuKernelFigure("add_rms_norm", $"{ElementwiseRows} x {_config.HiddenSize}",
            InStep(batch => GpuTimer.Median(_device, () => _backend.AddRmsNorm(batch, hidden, delta, weight, 1e-5f, normed))))
        { Bytes = 8 * Rows * _config.HiddenSize });
        report(new GpuKernelFigure("silu_mul", $"{ElementwiseRows} x {_config.IntermediateSize}",
            InStep(batch => GpuTimer.Median(_device, () => _backend.GatedActivation(batch, gateUp, Activation.Silu, activated))))
        { Bytes = 6 * Rows * _config.IntermediateSize });
        report(new GpuKernelFigure("rope_store_kv", $"{ElementwiseRows} x {_config.QkvSize}",
            InStep(batch => GpuTimer.Median(_device, () => _backend.RopeAndStoreKv(batch, 0, _qkv, null))))
        { Bytes = 4 * Rows * _config.QkvSize });
    }

    private GpuKernelFigure Sampling(string name, SamplingParameters parameters)
    {
        DeviceTensor hidden = Tensor(SampledRows, _config.HiddenSize, 9, HiddenScale);
        _batch.Clear();
        for (int i = 0; i < SampledRows; i++)
        {
            AddSequence(i, 63, 1, 64);
            _batch.SampleRows.Add(new SampleRow { TokenIndex = i, SequenceSlot = i, Parameters = parameters, Seed = (ulong)i });
        }

        double[] seconds = new double[SampleRuns];
        for (int run = 0; run < SampleRuns; run++)
        {
            seconds[run] = InStep(batch =>
            {
                // The product keeps the device busy until the sampling kernels are queued.
                _backend.Logits(batch, hidden, _head, softCap: null);
                return GpuTimer.Span(_device, () => _backend.Sample(batch));
            });
            _backend.Collect();
        }

        Array.Sort(seconds);
        return new GpuKernelFigure("sampling", $"{SampledRows} x {_config.VocabularySize}, {name}", seconds[SampleRuns / 2]) { Bytes = 4.0 * SampledRows * _config.VocabularySize };
    }

    /// <summary>Random keys and values everywhere: zeros would need less power.</summary>
    private void FillCache()
    {
        for (int layer = 0; layer < Layers; layer++)
        {
            for (int slot = 0; slot < BlockCount * BlockSize; slot += MaxTokens)
            {
                _batch.Clear();
                AddSequence(0, 0, MaxTokens, MaxTokens);
                for (int i = 0; i < MaxTokens; i++)
                {
                    _batch.SlotMapping[i] = slot + i;
                }

                InStep(batch =>
                {
                    _backend.RopeAndStoreKv(batch, layer, _qkv, null);
                    return 0;
                });
            }
        }
    }

    /// <summary>Runs a step of the batch; waits for its end, so that its arrays may be filled anew.</summary>
    private double InStep(Func<Batch, double> measure)
    {
        double seconds = 0;
        _batch.StepNumber++;
        _backend.RunStep(_batch, batch => seconds = measure(batch));
        _device.Synchronize();
        return seconds;
    }

    private void AddSequence(int index, int firstPosition, int tokens, int context)
    {
        int row = _batch.SequenceCount++;
        int blocks = (context + BlockSize - 1) / BlockSize;
        for (int block = 0; block < blocks; block++)
        {
            _batch.BlockTables[(row * _batch.MaxBlocksPerSequence) + block] = _blocks[((index * blocks) + block) % BlockCount];
        }

        _batch.QueryStarts[row] = _batch.TokenCount;
        for (int i = 0; i < tokens; i++)
        {
            int token = _batch.TokenCount++, position = firstPosition + i;
            _batch.TokenIds[token] = 0;
            _batch.Positions[token] = position;
            _batch.SlotMapping[token] = (_batch.BlockTables[(row * _batch.MaxBlocksPerSequence) + (position / BlockSize)] * BlockSize) + (position % BlockSize);
        }

        _batch.ContextLengths[row] = context;
        _batch.QueryStarts[row + 1] = _batch.TokenCount;
    }

    private DeviceTensor Tensor(int rows, int columns, int seed, float scale)
    {
        DeviceTensor tensor = _backend.Allocate(rows, columns);
        _tensors.Add(tensor);
        _elementwise.Kernel("fill_random").Launch(_device.Stream, _device.Multiprocessors * 8, 1, 256, ((CudaTensor)tensor).Address, (long)tensor.Rows * columns, seed, scale);
        return tensor;
    }
}
