using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>Qwen3-MoE: as Qwen3, with experts in every <c>decoder_sparse_step</c>-th layer that <c>mlp_only_layers</c> does not name.</summary>
internal static class Qwen3MoeArchitecture
{
    public static Architecture Definition { get; } = Qwen3Architecture.Definition with
    {
        Name = "Qwen3MoeForCausalLM",
        ModelType = "qwen3_moe",
        Defaults = new ArchitectureDefaults
        {
            VocabularySize = 151_936,
            HiddenSize = 2048,
            IntermediateSize = 6144,
            LayerCount = 24,
            KeyValueHeadCount = 4,
            MaxPositions = 32_768,
        },

        // One window for all layers, unlike Qwen3's.
        SlidingWindows = (json, layers) => Enumerable.Repeat(json.Boolean("use_sliding_window") == true ? LayerWindows.Window(json, defaultWindow: 4096) : null, layers).ToArray(),
        Moe = (json, layers) =>
        {
            var experts = ExpertRules.Count(json, "num_experts", "num_local_experts", 128);
            var dense = json.IntegerOrList("mlp_only_layers");
            var step = json.Integer("decoder_sparse_step", 1, int.MaxValue) ?? 1;
            var sparse = Enumerable.Range(0, layers).Select(layer => !dense.Contains(layer) && (layer + 1) % step == 0).ToArray();
            return experts == 0 || !sparse.Contains(true) ? null : new MoeConfig
            {
                Routing = ExpertRules.Check(json, new ExpertRouting
                {
                    ExpertCount = experts,
                    ChosenCount = ExpertRules.Count(json, "num_experts_per_tok", "num_experts_per_tok", 8),
                    Scoring = ExpertScoring.Softmax,
                    Normalize = json.Boolean("norm_topk_prob") ?? false,
                }),
                IntermediateSize = ExpertRules.Width(json, "moe_intermediate_size", 768),
                Layers = sparse,
            };
        },
    };
}
