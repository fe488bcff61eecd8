using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>gpt-oss: attention sinks, windows in every other layer, biases everywhere, and experts stored stacked with a clamped activation.</summary>
internal static class GptOssArchitecture
{
    private const double Theta = 150_000;

    public static Architecture Definition { get; } = new()
    {
        Name = "GptOssForCausalLM",
        ModelType = "gpt_oss",
        Defaults = new ArchitectureDefaults
        {
            VocabularySize = 201_088,
            HiddenSize = 2880,
            IntermediateSize = 2880,
            LayerCount = 36,
            HeadCount = 64,
            KeyValueHeadCount = 8,
            HeadDim = 64,
            MaxPositions = 131_072,
            RmsNormEpsilon = 1e-5,
            RopeTheta = Theta,
        },
        Rope = new RopeRules { Absent = new RopeConfig { Type = RopeType.Yarn, Theta = Theta, Factor = 32, OriginalMaxPositions = 4096, Truncate = false } },
        AttentionSinks = true,
        Biases = json =>
        {
            var attention = json.Boolean("attention_bias") ?? true;
            return new LinearBiases(attention, attention, Mlp: true);
        },
        SlidingWindows = (json, layers) => LayerWindows.Periodic(json, layers, LayerWindows.Window(json, defaultWindow: 128), period: 2),
        Moe = (json, layers) => new MoeConfig
        {
            Routing = ExpertRules.Check(json, new ExpertRouting
            {
                ExpertCount = ExpertRules.Count(json, "num_local_experts", "num_experts", 128),
                ChosenCount = ExpertRules.Count(json, "num_experts_per_tok", "num_experts_per_tok", 4),
                Scoring = ExpertScoring.SoftmaxOfChosen,
            }),
            IntermediateSize = ExpertRules.Width(json, "intermediate_size", 2880),
            Layers = Enumerable.Repeat(true, layers).ToArray(),
            Clamp = new ClampedGate((float)(json.Number("swiglu_alpha", 0) ?? 1.702), (float)(json.Number("swiglu_limit", 0) ?? 7)),
            HasBias = true,
        },
        Weights = new WeightNames
        {
            Experts = new ExpertNames
            {
                Router = "model.layers.{0}.mlp.router.weight",
                StackedGateUp = "model.layers.{0}.mlp.experts.gate_up_proj",
                StackedDown = "model.layers.{0}.mlp.experts.down_proj",
            },
        },
    };
}
