using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Tells before any weight is read what of a model the kernels cannot do.</summary>
internal static class CudaSupport
{
    /// <summary>Most dimensions of latent attention's compressed vector: a CTA holds the sums of 32 heads in registers.</summary>
    private const int MaxLatentDim = 1024;

    /// <exception cref="ModelLoadException">The model needs something that is not there yet; names it.</exception>
    public static void Require(ModelConfig config)
    {
        var missing = Missing(config).ToList();
        if (missing.Count > 0)
        {
            throw new ModelLoadException($"{config.Architecture.Name} with {string.Join(", ", missing)} is not supported on cuda yet; use --device cpu.") { IsUnsupported = true };
        }
    }

    private static IEnumerable<string> Missing(ModelConfig config)
    {
        // Kernels read 16 bytes at a time.
        List<(string Name, int Value)> rows = [("hidden_size", config.HiddenSize)];
        if (config.Moe is not { } moe || !moe.Layers.All(sparse => sparse))
        {
            rows.Add(("intermediate_size", config.IntermediateSize));
        }

        if (config.Moe is { } experts)
        {
            rows.AddRange([("an expert's intermediate size", experts.IntermediateSize), ("the shared expert's intermediate size", experts.SharedIntermediateSize)]);
        }

        if (config.Latent is { } latent)
        {
            rows.AddRange([("q_lora_rank", latent.QueryRank ?? 0), ("kv_lora_rank", latent.Layout.LatentDim), ("qk_nope_head_dim", latent.Layout.ContentDim)]);
            if (latent.Layout.ValueDim % 2 != 0)
            {
                yield return $"v_head_dim {latent.Layout.ValueDim:N0} (supported: even numbers)";
            }

            if (latent.Layout.LatentDim > MaxLatentDim)
            {
                yield return $"kv_lora_rank {latent.Layout.LatentDim:N0} (supported: up to {MaxLatentDim:N0})";
            }
        }
        else
        {
            if (config.HeadDim > CudaAttention.MaxHeadDim)
            {
                yield return $"heads of {config.HeadDim:N0} dimensions (supported: up to {CudaAttention.MaxHeadDim})";
            }

            if (config.HeadCount / config.KeyValueHeadCount > CudaAttention.MaxGroup)
            {
                yield return $"{config.HeadCount / config.KeyValueHeadCount} query heads per key head (supported: up to {CudaAttention.MaxGroup})";
            }
        }

        foreach (var (name, value) in rows)
        {
            if (value % 8 != 0)
            {
                yield return $"{name} {value:N0} (supported: multiples of 8)";
            }
        }
    }
}
