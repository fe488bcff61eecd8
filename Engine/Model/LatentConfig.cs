using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model;

/// <summary>Latent attention of a model.</summary>
/// <param name="Layout">Its shape.</param>
/// <param name="QueryRank">Dimensions that queries are compressed to; null where they are not (config.json <c>q_lora_rank</c>).</param>
internal sealed record LatentConfig(LatentLayout Layout, int? QueryRank)
{
    /// <summary>Of both compressed vectors' norms: their classes leave it at this, whatever <c>rms_norm_eps</c> says.</summary>
    public const float NormEpsilon = 1e-6f;

    /// <summary>Rows of the projection that makes all heads' keys and values.</summary>
    public int KeyValueSize => Layout.HeadCount * (Layout.ContentDim + Layout.ValueDim);
}
