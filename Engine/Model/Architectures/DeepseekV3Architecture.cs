using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>DeepSeek-V3 and R1: as V2 with sigmoid scores, a bias that only chooses, and groups scored by their two best.</summary>
internal static class DeepseekV3Architecture
{
    public static Architecture Definition { get; } = DeepseekV2Architecture.Definition with
    {
        Name = "DeepseekV3ForCausalLM",
        ModelType = "deepseek_v3",
        Defaults = new ArchitectureDefaults
        {
            VocabularySize = 129_280,
            HiddenSize = 7168,
            IntermediateSize = 18_432,
            LayerCount = 61,
            HeadCount = 128,
            KeyValueHeadCount = 128,
            MaxPositions = 4096,
        },
        Biases = json =>
        {
            var attention = json.Boolean("attention_bias") ?? false;
            return new LinearBiases(attention, attention, Mlp: false);
        },
        Latent = (json, heads) => LatentRules.Read(json, heads, json.Boolean("rope_interleave") ?? true),
        Moe = ReadMoe,
    };

    private static MoeConfig? ReadMoe(ConfigJson json, int layers)
    {
        if (json.String("scoring_func") is { } scoring and not "sigmoid")
        {
            throw json.Unsupported("scoring_func", scoring, "sigmoid");
        }

        if (json.String("topk_method") is { } method and not "noaux_tc")
        {
            throw json.Unsupported("topk_method", method, "noaux_tc");
        }

        var sparse = DeepseekV2Architecture.SparseLayers(json, layers, defaultDense: 3);
        if (!sparse.Contains(true))
        {
            return null;
        }

        var width = ExpertRules.Width(json, "moe_intermediate_size", 2048);
        return new MoeConfig
        {
            Routing = ExpertRules.Check(json, new ExpertRouting
            {
                ExpertCount = ExpertRules.Count(json, "n_routed_experts", "num_local_experts", 256),
                ChosenCount = ExpertRules.Count(json, "num_experts_per_tok", "num_experts_per_tok", 8),
                Scoring = ExpertScoring.Sigmoid,
                GroupCount = ExpertRules.Count(json, "n_group", "n_group", 8),
                ChosenGroupCount = ExpertRules.Count(json, "topk_group", "topk_group", 4),
                GroupScoring = ExpertGroupScoring.SumOfBestTwo,
                Normalize = json.Boolean("norm_topk_prob") ?? true,
                Scale = (float)(json.Number("routed_scaling_factor", double.NegativeInfinity) ?? 2.5),
            }),
            IntermediateSize = width,
            SharedIntermediateSize = ExpertRules.SharedWidth(json, defaultCount: 1, width),
            Layers = sparse,
            HasChoiceBias = true,
        };
    }
}
