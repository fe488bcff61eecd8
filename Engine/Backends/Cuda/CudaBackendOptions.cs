using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>How the CUDA backend sets itself up.</summary>
internal sealed record CudaBackendOptions
{
    /// <summary>Index among the devices that CUDA_VISIBLE_DEVICES leaves.</summary>
    public int Device { get; init; }

    /// <summary>Element type of weights, activations and KV cache: fp16 or bf16.</summary>
    public ElementType Type { get; init; } = ElementType.Bf16;

    /// <summary>Share of the device's memory that may be used in all.</summary>
    public double MemoryShare { get; init; } = 0.9;

    /// <summary>The model that will be loaded.</summary>
    public required ModelConfig Config { get; init; }

    /// <summary>Most tokens of a step.</summary>
    public required int MaxStepTokens { get; init; }

    /// <summary>Most sequences of a step.</summary>
    public required int MaxSequences { get; init; }

    /// <summary>Most tokens of a sequence.</summary>
    public required int MaxContextTokens { get; init; }

    /// <summary>Records decode steps as graphs.</summary>
    public bool Graphs { get; init; } = true;

    /// <summary>Where machine code and tuning are kept; null keeps none.</summary>
    public string? CacheFolder { get; init; } = KernelCompiler.DefaultCacheFolder;

    /// <summary>Told what takes long at the first start.</summary>
    public Action<string>? Report { get; init; }
}
