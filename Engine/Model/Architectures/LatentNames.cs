namespace Fastgen.Engine.Model.Architectures;

/// <summary>Names of latent attention's tensors: {0} stands for the layer's number.</summary>
internal sealed record LatentNames
{
    /// <summary>Queries, where they are not compressed.</summary>
    public string Query { get; init; } = "model.layers.{0}.self_attn.q_proj.weight";

    public string QueryDown { get; init; } = "model.layers.{0}.self_attn.q_a_proj.weight";

    public string QueryNorm { get; init; } = "model.layers.{0}.self_attn.q_a_layernorm.weight";

    public string QueryUp { get; init; } = "model.layers.{0}.self_attn.q_b_proj.weight";

    public string KeyValueDown { get; init; } = "model.layers.{0}.self_attn.kv_a_proj_with_mqa.weight";

    public string KeyValueNorm { get; init; } = "model.layers.{0}.self_attn.kv_a_layernorm.weight";

    /// <summary>[heads × (content + value), latent] each head's key then value rows</summary>
    public string KeyValueUp { get; init; } = "model.layers.{0}.self_attn.kv_b_proj.weight";
}
