using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine;

/// <content>Loading.</content>
public sealed partial class LlmEngine
{
    private const int CpuBlockSize = 16;

    // Larger boxes for the copy engine; a block holds the keys of a whole tile.
    private const int GpuBlockSize = 64;

    /// <summary>Loads a model and starts its engine.</summary>
    /// <param name="model">A folder as HuggingFace publishes it, or the id of a repository in the local HuggingFace cache.</param>
    /// <param name="options">Null takes the defaults.</param>
    /// <param name="progress">Hears how much of the weights is loaded.</param>
    /// <exception cref="ModelLoadException">A file is missing or damaged, or the model needs what is not supported.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public static Task<LlmEngine> LoadAsync(string model, EngineOptions? options = null, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new EngineOptions();
        options.Validate();
        return Task.Run(() => Load(model, options, new CancellingProgress(progress, cancellationToken)), cancellationToken);
    }

    private static LlmEngine Load(string model, EngineOptions options, CancellingProgress progress)
    {
        string folder = ModelFolder.Find(model);
        // The small files first: what is wrong with them should not take the time of loading the weights to be found.
        GenerationDefaults defaults = GenerationDefaults.LoadFolder(folder);
        (Tokenizer? tokenizer, ChatTemplateSet? templates) = LoadText(folder);
        if (options.DummyWeights && tokenizer is null)
        {
            // Without text there is nothing to stream, and a server of random weights is there to be measured.
            tokenizer = DummyText.Tokenizer(ModelConfig.Load(Path.Combine(folder, "config.json")).VocabularySize);
            templates ??= DummyText.Templates();
        }

        // Mistral's own files name the end in the tokenizer alone.
        if (defaults.EndOfSequenceIds.Count == 0 && tokenizer?.SpecialTokens.GetValueOrDefault("eos_token") is { } end && tokenizer.TokenToId(end) is { } endId)
        {
            defaults = defaults with { EndOfSequenceIds = [endId] };
        }

        string device = BackendFactory.Resolve(options.Device, options.Report);
        bool isGpu = device != "cpu";
        ModelRunner runner = ModelRunner.Load(
            new ModelRunnerOptions
            {
                Model = folder,
                Device = device,
                MaxBatchTokens = options.MaxStepTokens ?? EngineLoop.DefaultStepTokens(isGpu),
                MaxSequences = options.MaxRunningSequences,
                MaxContextTokens = options.MaxContextTokens,
                BlockSize = options.BlockSize ?? (isGpu ? GpuBlockSize : CpuBlockSize),
                GpuMemoryShare = options.GpuMemoryShare,
                GpuType = options.GpuType,
                CudaGraphs = options.CudaGraphs,
                Report = options.Report,
                KvCacheBytes = options.KvCacheBytes,
                KvCacheType = options.KvCacheType,
                Threads = options.Threads,
                WeightPlacement = options.WeightPlacement,
                WeightType = options.WeightType,
                QuantizeActivations = options.QuantizeActivations,
                DummyWeights = options.DummyWeights,
            },
            progress);
        try
        {
            options = options with { ModelName = options.ModelName ?? (Directory.Exists(model) ? Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)) : model) };
            return new LlmEngine(runner, runner.Config.ContextLimit(options.MaxContextTokens), defaults, tokenizer, templates, options) { Config = runner.Config, DeviceName = runner.DeviceName, LoadReport = runner.Report, FreeDeviceBytes = () => runner.FreeDeviceBytes };
        }
        catch
        {
            runner.Dispose();
            throw;
        }
    }

    private static (Tokenizer? Tokenizer, ChatTemplateSet? Templates) LoadText(string folder)
    {
        try
        {
            Tokenizer? tokenizer = Tokenizer.LoadFolder(folder);
            return (tokenizer, ChatTemplateSet.LoadFolder(folder, tokenizer));
        }
        catch (Exception exception) when (exception is TokenizerFormatException or ChatTemplateException or InvalidDataException)
        {
            throw new ModelLoadException(exception.Message, exception);
        }
    }

    /// <summary>Loading reports often, so that is where it can be cancelled.</summary>
    private sealed class CancellingProgress(IProgress<LoadProgress>? inner, CancellationToken cancellationToken) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value)
        {
            cancellationToken.ThrowIfCancellationRequested();
            inner?.Report(value);
        }
    }
}
