using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Tells before any weight is read what of a model the kernels cannot do.</summary>
internal static class CudaSupport
{
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
        var architecture = config.Architecture;
        if (config.Moe is not null)
        {
            yield return "a mixture of experts";
        }

        if (config.Latent is not null)
        {
            yield return "latent attention";
        }

        if (architecture.AttentionSinks)
        {
            yield return "attention sinks";
        }

        if (architecture.HeadNorms)
        {
            yield return "norms of query and key heads";
        }

        if (architecture.NormWeightOffset != 0)
        {
            yield return "norm weights stored less one";
        }

        if (config.Activation != Activation.Silu)
        {
            yield return $"activation {config.Activation}";
        }

        if (config.AttentionSoftCap is not null)
        {
            yield return "soft-capped attention";
        }

        if (config.LogitSoftCap is not null)
        {
            yield return "soft-capped logits";
        }

        if (!ReferenceEquals(config.Rope, config.LocalRope))
        {
            yield return "rotary embeddings by layer type";
        }

        if (config.Rope.Type is RopeType.Dynamic or RopeType.LongRope)
        {
            yield return $"rope type {config.Rope.Type.ToString().ToLowerInvariant()}";
        }

        if (config.Rope.RotaryDim(config.HeadDim) != config.HeadDim)
        {
            yield return "heads that turn in part";
        }

        if (config.Rope.QueryScalingBeta != 0)
        {
            yield return "queries scaled by position";
        }
    }
}
