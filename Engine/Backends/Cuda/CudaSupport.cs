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
        if (config.Latent is not null)
        {
            yield break;
        }
        yield break;
    }
}
