using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model.Architectures;

/// <summary>DeepSeek-V2: latent attention; after the first layers, experts chosen by softmax scores, best groups first where <c>topk_method</c> says so.</summary>
internal static class DeepseekV2Architecture
{
    public static Architecture Definition { get; } = new()
    {
        Name = "DeepseekV2ForCausalLM",
        ModelType = "deepseek_v2",
        Defaults = new ArchitectureDefaults { IntermediateSize = 11_008, KeyValueHeadCount = null, MaxPositions = 2048 },
        Biases = json =>
        {
            var attention = json.Boolean("attention_bias") ?? false;
            return new LinearBiases(attention, attention, json.Boolean("mlp_bias") ?? false);
        },
        SlidingWindows = (_, layers) => new int?[layers],
        Latent = (json, heads) => LatentRules.Read(json, heads, interleavedRope: true),
        Moe = ReadMoe,
    };

    /// <summary>[layers] all but the first <c>first_k_dense_replace</c></summary>
    public static bool[] SparseLayers(ConfigJson json, int layers, int defaultDense)
    {
        var dense = json.Integer("first_k_dense_replace", 0, int.MaxValue) ?? defaultDense;
        return [.. Enumerable.Range(0, layers).Select(layer => layer >= dense)];
    }

    private static MoeConfig? ReadMoe(ConfigJson json, int layers)
    {
        if (json.String("scoring_func") is { } scoring and not "softmax")
        {
            throw json.Unsupported("scoring_func", scoring, "softmax");
        }

        var method = json.String("topk_method") ?? "greedy";
        if (method is not ("greedy" or "group_limited_greedy"))
        {
            throw json.Unsupported("topk_method", method, "greedy, group_limited_greedy");
        }

        var sparse = SparseLayers(json, layers, defaultDense: 0);
        var experts = ExpertRules.Count(json, "n_routed_experts", "num_experts", json.IsNull("n_routed_experts") ? 0 : 64);
        if (experts == 0 || !sparse.Contains(true))
        {
            return null;
        }

        var width = ExpertRules.Width(json, "moe_intermediate_size", 1407);
        var hasGroups = method == "group_limited_greedy";
        return new MoeConfig
        {
            Routing = ExpertRules.Check(json, new ExpertRouting
            {
                ExpertCount = experts,
                ChosenCount = ExpertRules.Required(json, "num_experts_per_tok"),
                Scoring = ExpertScoring.Softmax,
                GroupCount = hasGroups ? ExpertRules.Required(json, "n_group") : 1,
                ChosenGroupCount = hasGroups ? ExpertRules.Required(json, "topk_group") : 1,
                GroupScoring = ExpertGroupScoring.Best,
                Scale = (float)(json.Number("routed_scaling_factor", double.NegativeInfinity) ?? 1),
            }),
            IntermediateSize = width,
            SharedIntermediateSize = ExpertRules.SharedWidth(json, defaultCount: 2, width),
            Layers = sparse,
        };
    }
}
