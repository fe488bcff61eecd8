using System.Diagnostics;
using System.Globalization;
using Fastgen.Engine.Backends;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.Model;

/// <summary>A loaded model on a device, ready to run steps.</summary>
internal sealed class ModelRunner : IStepRunner
{
    private readonly IBackend _backend;
    private readonly IWeightSource? _mappedSource;
    private readonly TransformerWeights _weights;
    private readonly TransformerForward _forward;
    private readonly Action<Batch> _runForward;
    private readonly int _maxBatchTokens;
    private readonly RotaryFrequencies[] _lengthDependent;

    private ModelRunner(ModelConfig config, IBackend backend, IWeightSource? mappedSource, TransformerWeights weights, TransformerForward forward, KvCacheLayout kvCache, IReadOnlyList<RotaryFrequencies> rotary, int maxBatchTokens)
    {
        Config = config;
        _backend = backend;
        _mappedSource = mappedSource;
        _weights = weights;
        BlockSize = kvCache.BlockSize;
        BlockCount = kvCache.BlockCount;
        _forward = forward;
        _runForward = _forward.Run;
        _maxBatchTokens = maxBatchTokens;
        _lengthDependent = [.. rotary.Distinct().Where(frequencies => frequencies.DependsOnLength)];
    }

    public ModelConfig Config { get; }

    public int BlockSize { get; }

    public int BlockCount { get; }

    public int VocabularySize => Config.VocabularySize;

    public int MaxStepsInFlight => _backend.MaxStepsInFlight;

    public DeviceTimes Times => _backend.Times;

    /// <summary>The device, for people.</summary>
    public string DeviceName => _backend.Name;

    /// <summary>What loading took.</summary>
    public required LoadReport Report { get; init; }

    /// <summary>Free bytes of a GPU at this moment; null on a CPU. May be asked on any thread.</summary>
    public long? FreeDeviceBytes => _backend.DeviceMemory?.Free;

    /// <summary>Bytes of weights that a decode step reads.</summary>
    public long WeightBytesPerStep => _weights.BytesPerStep;

    /// <summary>Sees intermediate results, brought to the host (tests).</summary>
    public Action<string, Func<int, float[]>>? Probe
    {
        set => _forward.Probe = value is null ? null : (name, tensor) => value(name, rows => _backend.ReadBack(tensor, rows));
    }

    /// <exception cref="ModelLoadException">The model cannot be loaded; the message says why and what helps.</exception>
    public static ModelRunner Load(ModelRunnerOptions options, IProgress<LoadProgress>? progress = null)
    {
        var folder = ModelFolder.Find(options.Model);
        var config = ModelConfig.Load(Path.Combine(folder, "config.json"));
        BackendFactory.RequireSupport(options, config);
        IWeightSource? source = null;
        IBackend? backend = null;
        TransformerWeights? weights = null;
        TransformerForward? forward = null;
        try
        {
            long weightBytes;
            if (options.DummyWeights)
            {
                source = new DummyWeights(config.StoredType);
                weightBytes = WeightLoader.ExpectedTensors(config).Sum(tensor => (long)tensor.Rows * tensor.Columns * config.StoredType.SizeBytes());
            }
            else
            {
                var checkpoint = Checkpoint.Open(folder, config.Quantization, config.Wrapper);
                source = checkpoint;
                config = checkpoint.Settle(config);
                weightBytes = checkpoint.TextBytes;
            }

            backend = BackendFactory.Create(options, config);
            var mapped = source.StaysMapped && backend.PrefersMapped(weightBytes);
            var before = backend.DeviceMemory;
            var start = Stopwatch.GetTimestamp();
            weights = WeightLoader.Load(config, source, backend, options.ScanWeights, mapped, progress, options.WeightType);
            var weightSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            var withWeights = backend.DeviceMemory;
            if (!mapped)
            {
                source.Dispose();
                source = null;
            }

            // Activations first: the KV cache is sized by what is left.
            forward = new TransformerForward(config, weights, backend, options.MaxBatchTokens, options.MaxSequences);
            var withActivations = backend.DeviceMemory;
            var kvCache = PlanKvCache(options, config, backend);
            var rotary = RotaryFrequencies.OfLayers(config);
            backend.AllocateKvCache(kvCache, rotary);
            var report = new LoadReport
            {
                WeightBytes = weightBytes,
                WeightSeconds = weightSeconds,
                DummyWeights = options.DummyWeights,
                WeightsMapped = mapped,
                StepTokens = options.MaxBatchTokens,
                BlockCount = kvCache.BlockCount,
                BlockSize = kvCache.BlockSize,
                KvCacheBytes = backend.KvBlockBytes(kvCache) * kvCache.BlockCount,
                Device = backend.DeviceMemory is { } after
                    ? new DeviceMemory(after.Total, after.Free, before!.Value.Free - withWeights!.Value.Free, withWeights.Value.Free - withActivations!.Value.Free)
                    : null,
            };
            foreach (var line in options.Report is null ? [] : report.Lines())
            {
                options.Report!(line);
            }

            return new ModelRunner(config, backend, source, weights, forward, kvCache, rotary, options.MaxBatchTokens) { Report = report };
        }
        catch
        {
            forward?.Dispose();
            weights?.Dispose();
            backend?.Dispose();
            source?.Dispose();
            throw;
        }
    }

    public int Regime(int length)
    {
        // Each grows with the length and never falls, so their sum changes where one of them does.
        var sum = 0;
        foreach (var frequencies in _lengthDependent)
        {
            sum += frequencies.Regime(length);
        }

        return sum;
    }

    public void Submit(Batch batch)
    {
        BatchCheck.Validate(batch, _maxBatchTokens, VocabularySize, BlockCount, BlockSize);
        _backend.RunStep(batch, _runForward);
    }

    public StepOutput Collect() => _backend.Collect();

    public void Dispose()
    {
        _forward.Dispose();
        _weights.Dispose();
        _backend.Dispose();
        _mappedSource?.Dispose();
    }

    private static KvCacheLayout PlanKvCache(ModelRunnerOptions options, ModelConfig config, IBackend backend)
    {
        var layout = new KvCacheLayout
        {
            LayerCount = config.LayerCount,
            Attention = config.Latent is { } latent
                ? new AttentionLayout(config.HeadCount, 1, latent.Layout.CachedDim)
                : new AttentionLayout(config.HeadCount, config.KeyValueHeadCount, config.HeadDim),
            Latent = config.Latent?.Layout,
            BlockSize = options.BlockSize,
            BlockCount = options.BlockCount ?? 0,
            Type = options.KvCacheType,
        };
        if (options.BlockCount is not null)
        {
            return layout;
        }

        var blockBytes = backend.KvBlockBytes(layout);
        var bytes = options.KvCacheBytes ?? backend.DefaultKvCacheBytes;
        // More than all sequences at their longest could never be used.
        var blocksPerSequence = (config.ContextLimit(options.MaxContextTokens) + options.BlockSize - 1) / options.BlockSize;
        var useful = Math.Min((long)options.MaxSequences * blocksPerSequence, int.MaxValue / options.BlockSize);
        var blocks = (int)Math.Min(bytes / blockBytes, useful);
        return blocks > 0
            ? layout with { BlockCount = blocks }
            : throw new ModelLoadException(NoRoom(bytes, blockBytes, options, backend));
    }

    private static string NoRoom(long bytes, long blockBytes, ModelRunnerOptions options, IBackend backend) => string.Create(
        CultureInfo.InvariantCulture,
        $"The KV cache has {bytes:N0} bytes, but one block of {options.BlockSize} tokens needs {blockBytes:N0}; ")
        + (options.KvCacheBytes is not null
            ? "raise KvCacheBytes (--kv-cache-gb)."
            : backend.DeviceMemory is { } memory
                ? string.Create(CultureInfo.InvariantCulture, $"the device has {memory.Free / 1e9:0.00} of {memory.Total / 1e9:0.00} GB free and may be used to {options.GpuMemoryShare:P0}: raise GpuMemoryShare (--gpu-memory), lower MaxStepTokens (--max-step-tokens) or end what else uses the device.")
                : "free memory or set KvCacheBytes (--kv-cache-gb).");
}
