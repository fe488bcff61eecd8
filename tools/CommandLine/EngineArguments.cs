using System.CommandLine;
using System.Globalization;
using Fastgen.Engine;
using Fastgen.Engine.Model;

namespace Fastgen.Tools.CommandLine;

/// <summary>The command-line options that fgserve and fgchat share, and the engine options they make.</summary>
internal sealed class EngineArguments
{
    private readonly Argument<string> _model = new("model")
    {
        Description = "Model folder as downloaded from Hugging Face, or a repo id that is in the local cache (HF_HOME)",
    };

    private readonly Option<int?> _tensorParallel = NumberOption.Whole("--tensor-parallel", "GPUs to split the model over", 1, 1024, 1);

    private readonly Option<double?> _temperature = NumberOption.Real("--temperature", "Sampling temperature, 0 is greedy [default: the model's generation_config.json]", 0, 2);

    private readonly Option<double?> _topP = NumberOption.Real("--top-p", "Top-p sampling, 1 turns it off [default: the model's generation_config.json]", 0, 1);

    private readonly Option<int?> _maxTokens = NumberOption.Whole("--max-tokens", "Most tokens per answer [default: what the context has room for]", 1, int.MaxValue);

    private readonly Option<int?> _maxBatch = NumberOption.Whole("--max-batch", "Sequences that run at once", 1, 65536, 256);

    private readonly Option<int?> _threads = NumberOption.Whole("--threads", "CPU threads [default: one per processor]", 1, 4096);

    private readonly Option<int?> _maxContext = NumberOption.Whole("--max-context", "Tokens of prompt and answer together [default: the model's limit]", 1, int.MaxValue);

    private readonly Option<double?> _kvCacheGb = NumberOption.Real("--kv-cache-gb", "Memory for the KV cache in GB [default: a share of what is free]", 0.001, 1e6);

    private readonly Option<double?> _gpuMemory = NumberOption.Real("--gpu-memory", "Share of the GPU's memory to use in all [default: 0.9]", 0.01, 1);

    private readonly Option<int?> _maxStepTokens = NumberOption.Whole("--max-step-tokens", "Tokens that one step computes [default: 8192 on a GPU, 512 on a CPU]", 1, 1 << 20);

    private readonly Option<bool> _noPrefixCache = new("--no-prefix-cache") { Description = "Compute every prompt anew" };

    private readonly Option<bool> _dummyWeights = new("--dummy-weights") { Description = "Random weights, for benchmarks: a folder with a config.json is enough; without tokenizer.json tokens become made-up words" };

    private readonly Option<string> _backend = new("--backend") { Description = "Device that computes: auto, cpu, cuda or cuda:N", DefaultValueFactory = _ => "auto" };

    private readonly Option<string> _dtype = new("--dtype") { Description = "What weights are kept as: auto (as stored), int8 or int4 (quantised while loading, CPU only)", DefaultValueFactory = _ => "auto" };

    private readonly Option<bool> _verbose = new("--verbose") { Description = "Log what happens, and show stack traces of errors" };

    /// <param name="command">Gets the model argument and the options.</param>
    public EngineArguments(Command command)
    {
        _tensorParallel.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValueOrDefault<int?>() > 1)
            {
                result.AddError($"--tensor-parallel {result.GetValueOrDefault<int?>()} is not built yet: the model runs on one device; leave it out.");
            }
        });
        _backend.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } device && !IsDevice(device))
            {
                result.AddError($"--backend is '{device}'; it must be auto, cpu, cuda or cuda:N.");
            }
        });
        _dtype.AcceptOnlyFromAmong("auto", "int8", "int4");
        command.Arguments.Add(_model);
        foreach (Option option in new Option[] { _temperature, _topP, _maxTokens, _maxBatch, _maxContext, _kvCacheGb, _gpuMemory, _maxStepTokens, _noPrefixCache, _dummyWeights, _threads, _backend, _dtype, _tensorParallel, _verbose })
        {
            command.Options.Add(option);
        }
    }

    public string Model(ParseResult parsed) => parsed.GetRequiredValue(_model);

    public float? Temperature(ParseResult parsed) => (float?)parsed.GetValue(_temperature);

    /// <summary>0 leaves one token, as the smallest positive share does, which is what the engine knows.</summary>
    public float? TopP(ParseResult parsed) => parsed.GetValue(_topP) is { } topP ? Math.Max((float)topP, 1e-6f) : null;

    public int? MaxTokens(ParseResult parsed) => parsed.GetValue(_maxTokens);

    public bool Verbose(ParseResult parsed) => parsed.GetValue(_verbose);

    public EngineOptions ToEngineOptions(ParseResult parsed) => new()
    {
        MaxContextTokens = parsed.GetValue(_maxContext),
        MaxRunningSequences = parsed.GetValue(_maxBatch) ?? 256,
        KvCacheBytes = parsed.GetValue(_kvCacheGb) is { } gigabytes ? (long)(gigabytes * 1e9) : null,
        Device = parsed.GetRequiredValue(_backend),
        GpuMemoryShare = parsed.GetValue(_gpuMemory) ?? 0.9,
        MaxStepTokens = parsed.GetValue(_maxStepTokens),
        EnablePrefixCache = !parsed.GetValue(_noPrefixCache),
        DummyWeights = parsed.GetValue(_dummyWeights),
        Threads = parsed.GetValue(_threads),
        WeightType = parsed.GetRequiredValue(_dtype) switch
        {
            "int8" => WeightType.Int8,
            "int4" => WeightType.Int4,
            _ => WeightType.Stored,
        },
    };

    private static bool IsDevice(string name) => name is "auto" or "cpu" or "cuda"
        || (name.StartsWith("cuda:", StringComparison.Ordinal) && ushort.TryParse(name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out _));
}
