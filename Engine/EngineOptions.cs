using Fastgen.Engine.Backends;
using Fastgen.Engine.KvCache;
using Fastgen.Engine.Model;

namespace Fastgen.Engine;

/// <summary>How an engine is set up. The defaults suit a server.</summary>
public sealed record EngineOptions
{
    /// <summary>Name that the engine reports; null takes the folder's name or the repository id.</summary>
    public string? ModelName { get; init; }

    /// <summary>Prompt and output tokens together that one sequence may have; null takes the model's own limit.</summary>
    public int? MaxContextTokens { get; init; }

    /// <summary>Sequences that run at once; each choice of a request (n &gt; 1) is one.</summary>
    public int MaxRunningSequences { get; init; } = 256;

    /// <summary>Requests that may wait to run before new ones are refused with <see cref="EngineOverloadedException"/>.</summary>
    public int MaxWaitingRequests { get; init; } = 4096;

    /// <summary>Tokens that one step computes at most; null takes 512 on a CPU and 8192 on a GPU.</summary>
    public int? MaxStepTokens { get; init; }

    /// <summary>Tokens of one prompt that one step computes at most; null leaves only <see cref="MaxStepTokens"/> as limit.</summary>
    public int? MaxPromptChunkTokens { get; init; }

    /// <summary>While prompts wait and fit, steps compute prompts alone, and running sequences wait for them. More tokens per second where many prompts arrive
    /// at once and only their end counts, as in rollouts and synthetic data; a server's streams would stall. Suits a KV cache that holds all of them.</summary>
    public bool PromptsFirst { get; init; }

    /// <summary>Tokens per KV block; null takes 16 on a CPU and 64 on a GPU.</summary>
    public int? BlockSize { get; init; }

    /// <summary>Bytes for the KV cache; null takes a share of the memory that is free.</summary>
    public long? KvCacheBytes { get; init; }

    /// <summary>How keys and values are stored.</summary>
    public KvCacheType KvCacheType { get; init; }

    /// <summary>Device to run on: <c>auto</c> (a GPU where CUDA can be used, else the CPU), <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Share of a GPU's memory that may be used in all. Range (0, 1].</summary>
    public double GpuMemoryShare { get; init; } = 0.9;

    /// <summary>Element type on a GPU: <c>auto</c> (the checkpoint's; bf16 for fp32 checkpoints), <c>bf16</c> or <c>fp16</c>.</summary>
    public string GpuType { get; init; } = "auto";

    /// <summary>Records decode steps as CUDA graphs.</summary>
    public bool CudaGraphs { get; init; } = true;

    /// <summary>Told, in a sentence, what was chosen, what takes long at a first start (compiling kernels, timing) and where the memory went.</summary>
    public Action<string>? Report { get; init; }

    /// <summary>Threads of the CPU backend; null takes one per processor.</summary>
    public int? Threads { get; init; }

    /// <summary>Where the CPU backend keeps weights.</summary>
    public WeightPlacement WeightPlacement { get; init; }

    /// <summary>Quantises plain matrices while they are loaded, which makes decoding on a CPU faster and the model smaller, at some loss of accuracy. Embeddings that are not tied, norms and routers stay as they are. CPU only.</summary>
    public WeightType WeightType { get; init; }

    /// <summary>Rounds the inputs of linear layers to 8 bits where the checkpoint's format says how (W8A8), as its publisher's kernels do; else inputs stay fp32, which is nearer to the unquantised model. CPU only.</summary>
    public bool QuantizeActivations { get; init; }

    /// <summary>Random weights instead of the folder's, for benchmarks: only config.json is needed. Where tokenizer.json is missing, a made-up
    /// tokenizer stands in: a token for each byte, and a word of four letters for every other id.</summary>
    public bool DummyWeights { get; init; }

    /// <summary>Keeps the blocks of finished requests as long as there is room, so that prompts that begin alike are not computed again.</summary>
    public bool EnablePrefixCache { get; init; } = true;

    /// <summary>Checks the values that do not depend on the model.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    internal void Validate()
    {
        RequireAtLeastOne(MaxContextTokens ?? 1, nameof(MaxContextTokens));
        RequireAtLeastOne(MaxRunningSequences, nameof(MaxRunningSequences));
        RequireAtLeastOne(MaxWaitingRequests, nameof(MaxWaitingRequests));
        RequireAtLeastOne(MaxStepTokens ?? 1, nameof(MaxStepTokens));
        RequireAtLeastOne(MaxPromptChunkTokens ?? 1, nameof(MaxPromptChunkTokens));
        RequireAtLeastOne(BlockSize ?? 1, nameof(BlockSize));
        RequireAtLeastOne(Threads ?? 1, nameof(Threads));
        if (!(GpuMemoryShare is > 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(GpuMemoryShare), GpuMemoryShare, $"GpuMemoryShare is {GpuMemoryShare} but must be above 0 and at most 1; 0.9 leaves room for other programs.");
        }

        if (BlockSize > BlockHash.MaxBlockSize)
        {
            throw new ArgumentOutOfRangeException(nameof(BlockSize), BlockSize, $"BlockSize is {BlockSize} but may be at most {BlockHash.MaxBlockSize}; 16 suits most loads.");
        }
    }

    private static void RequireAtLeastOne(int value, string name)
    {
        if (value < 1)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {value} but must be at least 1; set it to a positive number or leave it out.");
        }
    }
}
