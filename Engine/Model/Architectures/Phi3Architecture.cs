namespace Fastgen.Engine.Model.Architectures;

/// <summary>Phi-3 and Phi-4-mini: fused projections on disk, longrope, and heads that turn in part.</summary>
internal static class Phi3Architecture
{
    public static Architecture Definition { get; } = new()
    {
        Name = "Phi3ForCausalLM",
        ModelType = "phi3",
        Defaults = new ArchitectureDefaults
        {
            VocabularySize = 32_064,
            HiddenSize = 3072,
            IntermediateSize = 8192,
            KeyValueHeadCount = null,
            MaxPositions = 4096,
            RmsNormEpsilon = 1e-5,
        },
        Rope = new RopeRules
        {
            Types = [RopeType.Default, RopeType.LongRope],

            // Early files call it so.
            LongRopeNames = ["su", "yarn"],
            PartialRotation = true,
            OriginalMaxPositions = 4096,
        },
        Biases = _ => default,
        SlidingWindows = (json, layers) => Enumerable.Repeat(LayerWindows.Window(json, defaultWindow: null), layers).ToArray(),
        Weights = new WeightNames
        {
            FusedQkv = "model.layers.{0}.self_attn.qkv_proj.weight",
            FusedGateUp = "model.layers.{0}.mlp.gate_up_proj.weight",
        },
    };
}
