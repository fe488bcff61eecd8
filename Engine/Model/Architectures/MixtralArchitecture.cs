using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>Mixtral: Mistral with a mixture of experts in every layer, weighted by a softmax over those chosen.</summary>
internal static class MixtralArchitecture
{
    public static Architecture Definition { get; } = MistralArchitecture.Definition with
    {
        Name = "MixtralForCausalLM",
        ModelType = "mixtral",
        Defaults = MistralArchitecture.Definition.Defaults with { RmsNormEpsilon = 1e-5, RopeTheta = 1_000_000 },
        SlidingWindows = (json, layers) => Enumerable.Repeat(LayerWindows.Window(json, defaultWindow: null), layers).ToArray(),
        Moe = (json, layers) => new MoeConfig
        {
            Routing = ExpertRules.Check(json, new ExpertRouting
            {
                ExpertCount = ExpertRules.Count(json, "num_local_experts", "num_experts", 8),
                ChosenCount = ExpertRules.Count(json, "num_experts_per_tok", "num_experts_per_tok", 2),
                Scoring = ExpertScoring.Softmax,
                Normalize = true,
            }),
            IntermediateSize = ExpertRules.Width(json, "intermediate_size", 14_336),
            Layers = Enumerable.Repeat(true, layers).ToArray(),
        },
        Weights = new WeightNames
        {
            Experts = new ExpertNames
            {
                Router = "model.layers.{0}.block_sparse_moe.gate.weight",
                Gate = "model.layers.{0}.block_sparse_moe.experts.{1}.w1.weight",
                Up = "model.layers.{0}.block_sparse_moe.experts.{1}.w3.weight",
                Down = "model.layers.{0}.block_sparse_moe.experts.{1}.w2.weight",
            },
        },
    };
}
