using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model;

/// <summary>How a model is loaded and run.</summary>
internal sealed record ModelRunnerOptions
{
    /// <summary>Folder with config.json, or a repo id of the local HuggingFace cache.</summary>
    public required string Model { get; init; }

    /// <summary>Device name: see <see cref="BackendFactory"/>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Most tokens of one step.</summary>
    public int MaxBatchTokens { get; init; } = 512;

    /// <summary>Most sequences of one step.</summary>
    public int MaxSequences { get; init; } = 256;

    /// <summary>Most tokens of a sequence; null takes config.json <c>max_position_embeddings</c>.</summary>
    public int? MaxContextTokens { get; init; }

    /// <summary>Share of a GPU's memory that may be used in all.</summary>
    public double GpuMemoryShare { get; init; } = 0.9;

    /// <summary>Element type on a GPU: auto (the checkpoint's, bf16 for fp32), bf16 or fp16.</summary>
    public string GpuType { get; init; } = "auto";

    /// <summary>Records decode steps as CUDA graphs.</summary>
    public bool CudaGraphs { get; init; } = true;

    /// <summary>Told, in a sentence, what is chosen or takes long.</summary>
    public Action<string>? Report { get; init; }

    /// <summary>Tokens per KV block.</summary>
    public int BlockSize { get; init; } = 16;

    /// <summary>Blocks of the KV cache; null derives them from <see cref="KvCacheBytes"/>.</summary>
    public int? BlockCount { get; init; }

    /// <summary>Bytes of the KV cache; null takes a share of what is free once the weights are loaded.</summary>
    public long? KvCacheBytes { get; init; }

    public KvCacheType KvCacheType { get; init; }

    /// <summary>Worker threads of the CPU backend; null takes one per processor.</summary>
    public int? Threads { get; init; }

    public WeightPlacement WeightPlacement { get; init; }

    /// <summary>Quantises plain matrices while loading.</summary>
    public WeightType WeightType { get; init; }

    /// <summary>Rounds the inputs of linear layers where the checkpoint's format says how (W8A8); else they stay fp32. CPU only.</summary>
    public bool QuantizeActivations { get; init; }

    /// <summary>Looks through every weight for NaN and infinity while loading.</summary>
    public bool ScanWeights { get; init; } = true;

    /// <summary>Random weights instead of the folder's: only config.json is read.</summary>
    public bool DummyWeights { get; init; }
}
