using System.Globalization;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>Names of a model's tensors; in those of a layer {0} stands for its number.</summary>
internal sealed record WeightNames
{
    public string Embedding { get; init; } = "model.embed_tokens.weight";

    public string InputNorm { get; init; } = "model.layers.{0}.input_layernorm.weight";

    public string Query { get; init; } = "model.layers.{0}.self_attn.q_proj.weight";

    public string Key { get; init; } = "model.layers.{0}.self_attn.k_proj.weight";

    public string Value { get; init; } = "model.layers.{0}.self_attn.v_proj.weight";

    /// <summary>Query, key and value in one tensor, in this order; null where each has its own.</summary>
    public string? FusedQkv { get; init; }

    public string QueryNorm { get; init; } = "model.layers.{0}.self_attn.q_norm.weight";

    public string KeyNorm { get; init; } = "model.layers.{0}.self_attn.k_norm.weight";

    public string AttentionOutput { get; init; } = "model.layers.{0}.self_attn.o_proj.weight";

    /// <summary>Norm of what attention gives; null where the architecture has none.</summary>
    public string? AttentionOutputNorm { get; init; }

    /// <summary>Norm before the feed-forward part.</summary>
    public string PostAttentionNorm { get; init; } = "model.layers.{0}.post_attention_layernorm.weight";

    public string Gate { get; init; } = "model.layers.{0}.mlp.gate_proj.weight";

    public string Up { get; init; } = "model.layers.{0}.mlp.up_proj.weight";

    /// <summary>Gate and up in one tensor, in this order; null where each has its own.</summary>
    public string? FusedGateUp { get; init; }

    public string Down { get; init; } = "model.layers.{0}.mlp.down_proj.weight";

    /// <summary>Norm of what the feed-forward part gives; null where the architecture has none.</summary>
    public string? DownNorm { get; init; }

    /// <summary>Names of what only a mixture of experts has.</summary>
    public ExpertNames Experts { get; init; } = new();

    /// <summary>Names of what only latent attention has.</summary>
    public LatentNames Latent { get; init; } = new();

    public string Sinks { get; init; } = "model.layers.{0}.self_attn.sinks";

    public string FinalNorm { get; init; } = "model.norm.weight";

    public string OutputHead { get; init; } = "lm_head.weight";

    public static string OfLayer(string template, int layer) => string.Format(CultureInfo.InvariantCulture, template, layer);

    /// <summary>Name of the bias that belongs to a weight.</summary>
    public static string BiasOf(string weight) => string.Concat(weight.AsSpan(0, weight.Length - "weight".Length), "bias");
}
