using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cuda;
using Fastgen.Engine.Model;
using Fastgen.Engine.UnitTests.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model;

/// <summary>What config.json files say about experts and latent attention, and what is wrong with some.</summary>
public sealed class MoeConfigTests
{
    private const string Sizes = """ "vocab_size": 50, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 128 """;

    [Fact]
    public void Mixtral_has_experts_in_every_layer()
    {
        var config = Read("MixtralForCausalLM", "");
        Assert.Equal((8, 2, true, ExpertScoring.Softmax), (config.Moe!.Routing.ExpertCount, config.Moe.Routing.ChosenCount, config.Moe.Routing.Normalize, config.Moe.Routing.Scoring));
        Assert.Equal((40, 0), (config.Moe.IntermediateSize, config.Moe.SharedIntermediateSize));
        Assert.Equal([true, true, true, true], config.Moe.Layers);
        Assert.Equal((1_000_000, 1e-5f), (config.Rope.Theta, config.RmsNormEpsilon));
        Assert.All(config.SlidingWindows, Assert.Null);
    }

    [Theory]
    [InlineData("", new[] { true, true, true, true })]
    [InlineData(""", "decoder_sparse_step": 2""", new[] { false, true, false, true })]
    [InlineData(""", "decoder_sparse_step": 2, "mlp_only_layers": [3]""", new[] { false, true, false, false })]
    [InlineData(""", "mlp_only_layers": [0, 7]""", new[] { false, true, true, true })]
    public void Qwen3_moe_says_which_layers_are_dense(string keys, bool[] sparse) => Assert.Equal(sparse, Read("Qwen3MoeForCausalLM", keys).Moe!.Layers);

    [Fact]
    public void Qwen3_moe_without_experts_is_dense()
    {
        Assert.Null(Read("Qwen3MoeForCausalLM", """, "num_experts": 0""").Moe);
        Assert.Null(Read("Qwen3MoeForCausalLM", """, "mlp_only_layers": [0, 1, 2, 3]""").Moe);
    }

    [Fact]
    public void Gpt_oss_takes_its_class_defaults()
    {
        var config = Read("GptOssForCausalLM", "");
        Assert.Equal((128, 4, ExpertScoring.SoftmaxOfChosen), (config.Moe!.Routing.ExpertCount, config.Moe.Routing.ChosenCount, config.Moe.Routing.Scoring));
        Assert.Equal(new ClampedGate(1.702f, 7), config.Moe.Clamp);
        Assert.Equal([128, null, 128, null], config.SlidingWindows);
        Assert.Equal((RopeType.Yarn, 150_000, 32, 4096, false), (config.Rope.Type, config.Rope.Theta, config.Rope.Factor, config.Rope.OriginalMaxPositions, config.Rope.Truncate));
        Assert.Equal((true, true, 64), (config.QkvBias, config.AttentionOutputBias, config.HeadDim));
    }

    [Fact]
    public void Deepseek_v2_compresses_queries_unless_it_says_null()
    {
        Assert.Equal(1536, Read("DeepseekV2ForCausalLM", """, "num_experts_per_tok": 2""").Latent!.QueryRank);
        var config = Read("DeepseekV2ForCausalLM", """, "num_experts_per_tok": 2, "q_lora_rank": null, "first_k_dense_replace": 3, "n_shared_experts": 3, "moe_intermediate_size": 8""");
        Assert.Null(config.Latent!.QueryRank);
        Assert.Equal(new LatentLayout(4, 128, 64, 512, 128, InterleavedRope: true), config.Latent.Layout);
        Assert.Equal((64, 4 * 128, 24), (config.HeadDim, config.AttentionSize, config.Moe!.SharedIntermediateSize));
        Assert.Equal([false, false, false, true], config.Moe.Layers);
        Assert.Equal(1 / Math.Sqrt(192), config.AttentionScale, 1e-6);
    }

    [Fact]
    public void Latent_attention_is_scaled_by_yarn()
    {
        var config = Read("DeepseekV3ForCausalLM", """, "rope_scaling": { "type": "yarn", "factor": 40, "mscale": 1.0, "mscale_all_dim": 0.5, "original_max_position_embeddings": 16 }""");
        var mscale = (0.1 * 0.5 * Math.Log(40)) + 1;
        Assert.Equal(mscale * mscale / Math.Sqrt(192), config.AttentionScale, 1e-6);
    }

    [Theory]
    [InlineData("MixtralForCausalLM", """, "num_local_experts": 4, "num_experts_per_tok": 5""", "5 chosen experts of 4 to choose from; expected 1 to 4")]
    [InlineData("MixtralForCausalLM", """, "num_local_experts": 100000""", "a whole number from 0 to 4,096")]
    [InlineData("Qwen3MoeForCausalLM", """, "num_experts_per_tok": 0""", "0 chosen experts")]
    [InlineData("Qwen3MoeForCausalLM", """, "decoder_sparse_step": 0""", "'decoder_sparse_step' is 0")]
    [InlineData("GptOssForCausalLM", """, "num_local_experts": 0""", "0 experts; supported: 1 to 4,096")]
    [InlineData("DeepseekV2ForCausalLM", "", "'num_experts_per_tok' is missing")]
    [InlineData("DeepseekV2ForCausalLM", """, "num_experts_per_tok": 2, "topk_method": "group_limited_greedy", "topk_group": 1""", "'n_group' is missing")]
    [InlineData("DeepseekV2ForCausalLM", """, "num_experts_per_tok": 2, "topk_method": "noaux_tc" """, "'topk_method' is 'noaux_tc'")]
    [InlineData("DeepseekV2ForCausalLM", """, "num_experts_per_tok": 2, "n_shared_experts": 4096""", "makes a shared expert 5,763,072 wide")]
    [InlineData("DeepseekV3ForCausalLM", """, "n_group": 7""", "7 groups, which do not divide 256 experts")]
    [InlineData("DeepseekV3ForCausalLM", """, "n_group": 256""", "1 expert in a group")]
    [InlineData("DeepseekV3ForCausalLM", """, "topk_group": 9""", "9 chosen groups of 8")]
    [InlineData("DeepseekV3ForCausalLM", """, "scoring_func": "softmax" """, "'scoring_func' is 'softmax'")]
    [InlineData("DeepseekV3ForCausalLM", """, "kv_lora_rank": 20""", "'kv_lora_rank' is '20'")]
    [InlineData("DeepseekV3ForCausalLM", """, "qk_nope_head_dim": 100000""", "'qk_nope_head_dim' is 100000")]
    [InlineData("DeepseekV3ForCausalLM", """, "num_attention_heads": 16000000, "num_key_value_heads": 16000000""", "supported: up to 16,777,216")]
    public void What_does_not_fit_is_named(string architecture, string keys, string problem) =>
        Assert.Contains(problem, Assert.Throws<ModelLoadException>(() => Read(architecture, keys)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("MixtralForCausalLM", "")]
    [InlineData("GptOssForCausalLM", "")]
    [InlineData("DeepseekV3ForCausalLM", "")]
    public void Cuda_takes_them(string architecture, string keys) => CudaSupport.Require(Read(architecture, keys));

    [Theory]
    [InlineData("GptOssForCausalLM", """, "intermediate_size": 20""", "an expert's intermediate size 20 (supported: multiples of 8)")]
    [InlineData("DeepseekV3ForCausalLM", """, "kv_lora_rank": 2048""", "kv_lora_rank 2,048 (supported: up to 1,024)")]
    [InlineData("DeepseekV3ForCausalLM", """, "v_head_dim": 13""", "v_head_dim 13 (supported: even numbers)")]
    [InlineData("DeepseekV3ForCausalLM", """, "q_lora_rank": 100""", "q_lora_rank 100 (supported: multiples of 8)")]
    public void Cuda_refuses_by_name(string architecture, string keys, string reason)
    {
        var exception = Assert.Throws<ModelLoadException>(() => CudaSupport.Require(Read(architecture, keys)));
        Assert.True(exception.IsUnsupported);
        Assert.Contains(architecture, exception.Message, StringComparison.Ordinal);
        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.layers.1.mlp.experts.gate_up_proj", "[4, 33, 16]", "is F32 [4, 33, 16], expected [4, 32, 16]")]
    [InlineData("model.layers.1.mlp.experts.gate_up_proj", "[5, 32, 16]", "expected [4, 32, 16]")]
    [InlineData("model.layers.1.mlp.experts.gate_up_proj", "[128, 16]", "expected [4, 32, 16]")]
    [InlineData("model.layers.0.mlp.experts.down_proj_bias", "[4, 31]", "expected [4, 32]")]
    [InlineData("model.layers.0.self_attn.sinks", "[5]", "expected [4]")]
    public void Tensors_of_other_shapes_are_named(string tensor, string shape, string problem)
    {
        using var folder = new TemporaryFolder();
        const string Keys = """, "intermediate_size": 8, "num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8""";
        folder.Write("config.json", Text("GptOssForCausalLM", Keys));
        var tensors = WeightLoader.ExpectedTensors(Read("GptOssForCausalLM", Keys)).Select(expected =>
        {
            int[] dimensions = expected.Name == tensor ? [.. shape.Trim('[', ']').Split(',').Select(int.Parse)]
                : expected.Stack > 0 ? [expected.Stack, expected.Rows / expected.Stack, expected.Columns]
                : expected.Rows == 1 ? [expected.Columns] : [expected.Rows, expected.Columns];
            return (expected.Name, dimensions, new float[dimensions.Aggregate(1, (a, b) => a * b)]);
        }).ToArray();
        folder.Write("model.safetensors", SafetensorsBytes.Floats(tensors));
        var exception = Assert.Throws<ModelLoadException>(() => ModelRunner.Load(new ModelRunnerOptions { Model = folder.Root, Device = "cpu", BlockCount = 4 }));
        Assert.Contains($"'{tensor}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
    }

    private static string Text(string architecture, string keys)
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse($$"""{ "architectures": ["{{architecture}}"], {{Sizes}} }""")!.AsObject();
        foreach (var (key, value) in System.Text.Json.Nodes.JsonNode.Parse($$"""{ {{keys.TrimStart(',', ' ')}} }""")!.AsObject())
        {
            json[key] = value?.DeepClone();
        }

        return json.ToJsonString();
    }

    private static ModelConfig Read(string architecture, string keys) => ConfigText.Read(Text(architecture, keys));
}
