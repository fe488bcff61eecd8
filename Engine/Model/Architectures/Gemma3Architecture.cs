namespace Fastgen.Engine.Model.Architectures;

/// <summary>Gemma 3 text models: as Gemma 2 with norms of query and key heads instead of attention's soft cap, and a rotary base of their own for windowed layers.</summary>
internal static class Gemma3Architecture
{
    public static Architecture Definition { get; } = Gemma2Architecture.Definition with
    {
        Name = "Gemma3ForCausalLM",
        ModelType = "gemma3_text",
        Defaults = Gemma2Architecture.Definition.Defaults with { VocabularySize = 262_208, MaxPositions = 131_072, RopeTheta = 1_000_000 },
        HeadNorms = true,
        Rope = new RopeRules { ByLayerType = true },

        // The configuration has the key, but the model never reads it.
        AttentionSoftCap = null,
        LogitSoftCap = json => Gemma2Architecture.SoftCap(json, "final_logit_softcapping", null),
        SlidingWindows = (json, layers) => LayerWindows.Periodic(
            json, layers, LayerWindows.Window(json, defaultWindow: 4096), json.Integer("sliding_window_pattern", 1, int.MaxValue) ?? 6),
    };
}
