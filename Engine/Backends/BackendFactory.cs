using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends;

/// <summary>Makes the backend of a device name.</summary>
internal static class BackendFactory
{
    /// <summary>Settles which device a name means: <c>auto</c> takes the first GPU where CUDA can be used, else the CPU.</summary>
    /// <param name="name">auto, cpu, cuda or cuda:N.</param>
    /// <param name="report">Told when auto falls back, and why.</param>
    /// <returns>cpu, cuda or cuda:N.</returns>
    public static string Resolve(string name, Action<string>? report)
    {
        if (name != "auto")
        {
            return name;
        }

        if (CudaDevice.Count(out var reason) > 0)
        {
            return "cuda";
        }

        report?.Invoke($"Using the CPU: {reason}.");
        return "cpu";
    }

    /// <summary>Refuses what the device cannot run, before anything is opened.</summary>
    /// <exception cref="ModelLoadException">The model needs an operation that the device lacks; names it.</exception>
    public static void RequireSupport(ModelRunnerOptions options, ModelConfig config)
    {
        if (Resolve(options.Device, report: null) != "cpu")
        {
            CudaSupport.Require(config);
        }
    }

    /// <param name="options">Its device may be any name that <see cref="Resolve"/> takes.</param>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    /// <exception cref="Cuda.Interop.CudaException">CUDA was asked for and cannot be used; says why.</exception>
    public static IBackend Create(ModelRunnerOptions options, ModelConfig config)
    {
        var parts = Resolve(options.Device, options.Report).Split(':');
        if (parts is ["cpu"])
        {
            return Cpu(options);
        }

        if (parts[0] == "cuda" && parts.Length <= 2 && int.TryParse(parts.Length == 2 ? parts[1] : "0", out var device))
        {
            RequireStoredWeights(options);
            if (options.BlockSize % 16 != 0)
            {
                throw new ArgumentException($"BlockSize {options.BlockSize} is not supported on a GPU, whose kernels take 16 tokens at a time; supported: multiples of 16.", nameof(options));
            }

            return Cuda(options, config, device);
        }

        throw new ArgumentException($"Device '{options.Device}' is not supported; supported: auto, cpu, cuda, cuda:N.", nameof(options));
    }

    private static CpuBackend Cpu(ModelRunnerOptions options) => new(options.Threads ?? Environment.ProcessorCount, options.WeightPlacement, options.QuantizeActivations);

    /// <summary>On a GPU quantised checkpoints are widened as they are sent, and nothing is quantised.</summary>
    private static void RequireStoredWeights(ModelRunnerOptions options)
    {
        if (options.WeightType != WeightType.Stored)
        {
            throw new ArgumentException($"Weight type {options.WeightType} is not supported on a GPU; supported: {WeightType.Stored}. Use the CPU, or a checkpoint that fits the GPU.", nameof(options));
        }

        if (options.QuantizeActivations)
        {
            throw new ArgumentException("QuantizeActivations is not supported on a GPU, where activations are 16 bits wide; leave it off or use the CPU.", nameof(options));
        }
    }

    private static CudaBackend Cuda(ModelRunnerOptions options, ModelConfig config, int device) => new(new CudaBackendOptions
    {
        Config = config,
        Device = device,
        Type = options.GpuType switch
        {
            "fp16" => ElementType.Fp16,
            "bf16" => ElementType.Bf16,
            "auto" => config.StoredType == ElementType.Fp16 ? ElementType.Fp16 : ElementType.Bf16,
            _ => throw new ArgumentException($"Element type '{options.GpuType}' is not supported on a GPU; supported: auto, bf16, fp16.", nameof(options)),
        },
        MemoryShare = options.GpuMemoryShare,
        MaxStepTokens = options.MaxBatchTokens,
        MaxSequences = options.MaxSequences,
        MaxContextTokens = config.ContextLimit(options.MaxContextTokens),
        Graphs = options.CudaGraphs,
        Report = options.Report,
    });
}
