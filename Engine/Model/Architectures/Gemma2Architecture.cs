namespace Fastgen.Engine.Model.Architectures;

/// <summary>Gemma 2: norms before and after each part, soft caps, GELU, windows in every other layer.</summary>
internal static class Gemma2Architecture
{
    public static Architecture Definition { get; } = new()
    {
        Name = "Gemma2ForCausalLM",
        ModelType = "gemma2",
        Defaults = new ArchitectureDefaults
        {
            VocabularySize = 256_000,
            HiddenSize = 2304,
            IntermediateSize = 9216,
            LayerCount = 26,
            HeadCount = 8,
            KeyValueHeadCount = 4,
            HeadDim = 256,
            Activation = Activation.GeluTanh,
            MaxPositions = 8192,
            TieWordEmbeddings = true,
        },
        ActivationKey = "hidden_activation",
        NormWeightOffset = 1,
        ScalesEmbeddings = true,
        AttentionScalar = json => json.Number("query_pre_attn_scalar", 0) ?? 256,
        AttentionSoftCap = json => SoftCap(json, "attn_logit_softcapping", 50),
        LogitSoftCap = json => SoftCap(json, "final_logit_softcapping", 30),
        Biases = json =>
        {
            var attention = json.Boolean("attention_bias") ?? false;
            return new LinearBiases(attention, attention, Mlp: false);
        },
        SlidingWindows = (json, layers) => LayerWindows.Periodic(json, layers, LayerWindows.Window(json, defaultWindow: 4096), period: 2),
        Reject = RejectBothDirections,
        Weights = new WeightNames
        {
            AttentionOutputNorm = "model.layers.{0}.post_attention_layernorm.weight",
            PostAttentionNorm = "model.layers.{0}.pre_feedforward_layernorm.weight",
            DownNorm = "model.layers.{0}.post_feedforward_layernorm.weight",
        },
    };

    /// <summary>A soft cap: absent takes the default, null means none.</summary>
    public static double? SoftCap(ConfigJson json, string key, double? defaultCap) =>
        json.Number(key, 0) ?? (json.IsNull(key) ? null : defaultCap);

    private static void RejectBothDirections(ConfigJson json)
    {
        if (json.Boolean("use_bidirectional_attention") == true)
        {
            throw json.Unsupported("use_bidirectional_attention", "true", "false");
        }
    }
}
