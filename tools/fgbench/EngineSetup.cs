using System.CommandLine;
using Fastgen.Engine;
using Fastgen.Engine.Model;
using Fastgen.Tools.CommandLine;

namespace Fastgen.Tools.FgBench;

/// <summary>The options that load an engine in this process, the same for every command that does.</summary>
internal sealed class EngineSetup
{
    private readonly Option<string> _model;
    private readonly Option<bool> _dummy = new("--dummy-weights") { Description = "Random weights of the model's shape." };
    private readonly Option<string> _device = new("--device", "--backend") { Description = "auto, cpu, cuda or cuda:N.", DefaultValueFactory = _ => "auto" };
    private readonly Option<int?> _maxBatch;
    private readonly Option<int?> _stepTokens = NumberOption.Whole("--max-step-tokens", "Tokens of one step [default: 8192 on a GPU, 512 on a CPU].", 1, 1 << 20);
    private readonly Option<bool> _promptsFirst = new("--prompts-first") { Description = "Computes waiting prompts alone, before running sequences go on." };
    private readonly Option<double?> _gpuMemory = NumberOption.Real("--gpu-memory", "Share of the GPU's memory to use [default: 0.9].", 0.01, 1);
    private readonly Option<bool> _eager = new("--eager") { Description = "No CUDA graphs." };
    private readonly Option<double?> _kvCacheGb = NumberOption.Real("--kv-cache-gb", "Memory for the KV cache in GB [default: a share of what is free].", 0.001, 1e6);
    private readonly Option<int?> _threads = NumberOption.Whole("--threads", "CPU threads [default: one per processor].", 1, 4096);

    /// <param name="command">Gets the options.</param>
    public EngineSetup(Command command, string defaultModel, int defaultMaxBatch)
    {
        _model = new Option<string>("--model") { Description = "Model folder, or a folder with a config.json alone together with --dummy-weights.", DefaultValueFactory = _ => defaultModel };
        _maxBatch = NumberOption.Whole("--max-batch", "Sequences that run at once.", 1, 65536, defaultMaxBatch);
        foreach (Option option in new Option[] { _model, _dummy, _device, _maxBatch, _stepTokens, _promptsFirst, _gpuMemory, _kvCacheGb, _eager, _threads })
        {
            command.Options.Add(option);
        }
    }

    public string Model(ParseResult parsed) => parsed.GetRequiredValue(_model);

    public bool DummyWeights(ParseResult parsed) => parsed.GetValue(_dummy);

    /// <param name="contextTokens">Most tokens of a sequence; null takes the model's limit.</param>
    public EngineOptions Options(ParseResult parsed, int? contextTokens) => new()
    {
        Device = parsed.GetRequiredValue(_device),
        DummyWeights = parsed.GetValue(_dummy),
        MaxRunningSequences = parsed.GetValue(_maxBatch)!.Value,
        MaxWaitingRequests = int.MaxValue,
        MaxStepTokens = parsed.GetValue(_stepTokens),
        PromptsFirst = parsed.GetValue(_promptsFirst),
        MaxContextTokens = contextTokens,
        GpuMemoryShare = parsed.GetValue(_gpuMemory) ?? 0.9,
        KvCacheBytes = parsed.GetValue(_kvCacheGb) is { } gigabytes ? (long)(gigabytes * 1e9) : null,
        CudaGraphs = !parsed.GetValue(_eager),
        Threads = parsed.GetValue(_threads),
        EnablePrefixCache = false,
    };

    /// <summary>Loads with a bar and what the engine tells on standard error.</summary>
    /// <exception cref="ModelLoadException">The message says what is wrong.</exception>
    public static async Task<LlmEngine> LoadAsync(string model, EngineOptions options, CancellationToken cancel)
    {
        var progress = new LoadProgressBar(ModelLoading.DisplayName(model));
        try
        {
            LlmEngine engine = await LlmEngine.LoadAsync(model, options with { Report = progress.Tell }, progress, cancel);
            progress.Done();
            Console.WriteLine($"{model} on {engine.DeviceName}");
            return engine;
        }
        finally
        {
            progress.Clear();
        }
    }
}
