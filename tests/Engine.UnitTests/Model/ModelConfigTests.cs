using Fastgen.Engine.Model;

namespace Fastgen.Engine.UnitTests.Model;

public sealed class ModelConfigTests
{
    [Fact]
    public void Reads_the_hub_style()
    {
        var config = ConfigText.ReadWith("""
            { "rope_theta": 500000.0, "torch_dtype": "bfloat16", "eos_token_id": [7, 8], "bos_token_id": 1,
              "rope_scaling": { "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64 } }
            """);
        Assert.Equal("LlamaForCausalLM", config.Architecture.Name);
        Assert.Equal((100, 64, 96, 3, 4, 2, 16), (config.VocabularySize, config.HiddenSize, config.IntermediateSize, config.LayerCount, config.HeadCount, config.KeyValueHeadCount, config.HeadDim));
        Assert.Equal(ElementType.Bf16, config.StoredType);
        Assert.Equal([7, 8], config.EosTokenIds);
        Assert.Equal(1, config.BosTokenId);
        Assert.Equal((RopeType.Llama3, 500_000, 8, 1, 4, 64), (config.Rope.Type, config.Rope.Theta, config.Rope.Factor, config.Rope.LowFrequencyFactor, config.Rope.HighFrequencyFactor, config.Rope.OriginalMaxPositions));
        Assert.Equal(new int?[3], config.SlidingWindows);
    }

    [Fact]
    public void Reads_the_style_of_transformers_5()
    {
        var config = ConfigText.ReadWith("""
            { "dtype": "float16", "head_dim": 32, "tie_word_embeddings": true, "rope_parameters": { "rope_type": "linear", "rope_theta": 20000.0, "factor": 2.0 } }
            """);
        Assert.Equal((ElementType.Fp16, 32, true), (config.StoredType, config.HeadDim, config.TieWordEmbeddings));
        Assert.Equal((RopeType.Linear, 20_000, 2), (config.Rope.Type, config.Rope.Theta, config.Rope.Factor));
    }

    [Theory]
    [InlineData("LlamaForCausalLM", 11_008, 32, 2048, 32_000)]
    [InlineData("MistralForCausalLM", 14_336, 8, 131_072, 32_000)]
    [InlineData("MinistralForCausalLM", 14_336, 8, 131_072, 32_000)]
    [InlineData("Qwen2ForCausalLM", 22_016, 32, 32_768, 151_936)]
    public void Absent_keys_take_the_defaults_of_the_class(string architecture, int intermediate, int keyValueHeads, int maxPositions, int vocabulary)
    {
        var config = ConfigText.Read($$"""{ "architectures": ["{{architecture}}"] }""");
        Assert.Equal((intermediate, keyValueHeads, maxPositions, vocabulary), (config.IntermediateSize, config.KeyValueHeadCount, config.MaxPositions, config.VocabularySize));
        Assert.Equal((4096, 32, 32, 128), (config.HiddenSize, config.LayerCount, config.HeadCount, config.HeadDim));
        Assert.Equal((1e-6f, 10_000), (config.RmsNormEpsilon, config.Rope.Theta));
        Assert.Equal(architecture == "Qwen2ForCausalLM", config.QkvBias);
        Assert.Equal(architecture is "MistralForCausalLM" or "MinistralForCausalLM" ? 4096 : null, config.SlidingWindows[31]);
    }

    [Fact]
    public void A_null_key_value_head_count_means_as_many_as_query_heads() =>
        Assert.Equal(32, ConfigText.Read("""{ "architectures": ["MistralForCausalLM"], "num_key_value_heads": null }""").KeyValueHeadCount);

    [Fact]
    public void A_null_window_means_none() =>
        Assert.All(ConfigText.Read("""{ "architectures": ["MistralForCausalLM"], "sliding_window": null }""").SlidingWindows, Assert.Null);

    [Fact]
    public void Qwen2_has_windows_only_where_it_says_so()
    {
        const string Keys = """ "architectures": ["Qwen2ForCausalLM"], "num_hidden_layers": 4, "sliding_window": 16 """;
        Assert.Equal([null, null, null, null], ConfigText.Read($$"""{ {{Keys}}, "use_sliding_window": false, "max_window_layers": 1 }""").SlidingWindows);
        Assert.Equal([null, 16, 16, 16], ConfigText.Read($$"""{ {{Keys}}, "use_sliding_window": true, "max_window_layers": 1 }""").SlidingWindows);
        Assert.Equal([null, null, null, null], ConfigText.Read($$"""{ {{Keys}}, "use_sliding_window": true }""").SlidingWindows);
        Assert.Equal([16, null, 16, null], ConfigText.Read($$"""{ {{Keys}}, "use_sliding_window": true, "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"] }""").SlidingWindows);
    }

    [Fact]
    public void Ministral_follows_its_layer_types() =>
        Assert.Equal([null, 8], ConfigText.Read("""{ "architectures": ["MinistralForCausalLM"], "num_hidden_layers": 2, "sliding_window": 8, "layer_types": ["full_attention", "sliding_attention"] }""").SlidingWindows);

    [Fact]
    public void Llama_can_have_biases()
    {
        var config = ConfigText.ReadWith("""{ "attention_bias": true, "mlp_bias": true }""");
        Assert.True(config.QkvBias && config.AttentionOutputBias && config.MlpBias);
    }

    [Fact]
    public void Qwen3_norms_heads_and_has_biases_only_where_it_says_so()
    {
        var config = ConfigText.Read("""{ "architectures": ["Qwen3ForCausalLM"] }""");
        Assert.Equal((true, 128, false, false), (config.Architecture.HeadNorms, config.HeadDim, config.QkvBias, config.AttentionOutputBias));
        config = ConfigText.Read("""{ "architectures": ["Qwen3ForCausalLM"], "attention_bias": true, "head_dim": null, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2 }""");
        Assert.Equal((16, true, true, false), (config.HeadDim, config.QkvBias, config.AttentionOutputBias, config.MlpBias));
    }

    [Fact]
    public void Gemma_2_takes_what_its_class_takes()
    {
        var config = ConfigText.Read("""{ "architectures": ["Gemma2ForCausalLM"], "hidden_act": "silu", "num_hidden_layers": 3 }""");
        Assert.Equal((Activation.GeluTanh, 48f, 0.0625f, 50f, 30f, true), (config.Activation, config.EmbeddingScale, config.AttentionScale, config.AttentionSoftCap, config.LogitSoftCap, config.TieWordEmbeddings));
        Assert.Equal([4096, null, 4096], config.SlidingWindows);
        config = ConfigText.Read("""{ "architectures": ["Gemma2ForCausalLM"], "attn_logit_softcapping": null, "final_logit_softcapping": null, "query_pre_attn_scalar": 100 }""");
        Assert.Equal((null, null, 0.1f), (config.AttentionSoftCap, config.LogitSoftCap, config.AttentionScale));
    }

    [Fact]
    public void Gemma_3_has_two_rotary_bases()
    {
        const string Keys = """ "architectures": ["Gemma3ForCausalLM"], "attn_logit_softcapping": 20.0 """;
        var config = ConfigText.Read($"{{ {Keys} }}");
        Assert.Equal((1_000_000, 10_000), (config.Rope.Theta, config.LocalRope.Theta));
        Assert.Equal([null, null], (float?[])[config.AttentionSoftCap, config.LogitSoftCap]);
        Assert.Equal(5, config.SlidingWindows.Take(6).Count(window => window == 4096));
        Assert.Null(config.SlidingWindows[5]);
        config = ConfigText.Read($$"""{ {{Keys}}, "rope_theta": 5000, "rope_local_base_freq": 300, "rope_scaling": { "rope_type": "linear", "factor": 8 }, "sliding_window_pattern": 2 }""");
        Assert.Equal((RopeType.Linear, 5000, 8, RopeType.Default, 300), (config.Rope.Type, config.Rope.Theta, config.Rope.Factor, config.LocalRope.Type, config.LocalRope.Theta));
        Assert.Equal([4096, null, 4096], config.SlidingWindows.Take(3));
        config = ConfigText.Read($$$"""{ {{{Keys}}}, "rope_parameters": { "sliding_attention": { "rope_type": "linear", "rope_theta": 70, "factor": 2 }, "full_attention": { "rope_type": "default", "rope_theta": 80 } } }""");
        Assert.Equal((RopeType.Default, 80, RopeType.Linear, 70), (config.Rope.Type, config.Rope.Theta, config.LocalRope.Type, config.LocalRope.Theta));
    }

    [Fact]
    public void Phi_3_takes_the_original_context_beside_the_rope_parameters()
    {
        const string Rope = """ "rope_scaling": { "type": "su", "original_max_position_embeddings": 99, "short_factor": [1, 2], "long_factor": [3, 4] }, "hidden_size": 32, "num_attention_heads": 4, "partial_rotary_factor": 0.5 """;
        var config = ConfigText.Read($$"""{ "architectures": ["Phi3ForCausalLM"], {{Rope}} }""");
        Assert.Equal((RopeType.LongRope, 4096, 4), (config.Rope.Type, config.Rope.OriginalMaxPositions, config.Rope.RotaryDim(config.HeadDim)));
        Assert.Equal(64, ConfigText.Read($$"""{ "architectures": ["Phi3ForCausalLM"], "original_max_position_embeddings": 64, {{Rope}} }""").Rope.OriginalMaxPositions);
        Assert.Contains("2 numbers, but 4 pairs", Assert.Throws<ModelLoadException>(() => ConfigText.Read($$"""{ "architectures": ["Phi3ForCausalLM"], {{Rope.Replace("0.5", "1", StringComparison.Ordinal)}} }""")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ministral_3_without_rope_parameters_has_those_of_its_class()
    {
        var config = ConfigText.Read("""{ "architectures": ["Ministral3ForCausalLM"] }""");
        Assert.Equal((RopeType.Yarn, 16, 16_384, 0.1, null), (config.Rope.Type, config.Rope.Factor, config.Rope.OriginalMaxPositions, config.Rope.QueryScalingBeta, config.SlidingWindows[0]));
    }

    [Theory]
    [InlineData("""{ "rope_scaling": null }""", 256, 1000)]
    [InlineData("""{ "rope_scaling": { "type": "linear", "factor": 3 } }""", 768, 1000)]
    [InlineData("""{ "rope_scaling": { "type": "yarn", "factor": 4, "original_max_position_embeddings": 100 } }""", 400, 1000)]
    [InlineData("""{ "rope_scaling": { "type": "yarn", "factor": 2, "original_max_position_embeddings": 100 } }""", 256, 1000)]
    [InlineData("""{ "architectures": ["Gemma3ForCausalLM"], "rope_scaling": { "rope_type": "linear", "factor": 8 } }""", 256, 1000)]
    [InlineData("""{ "rope_scaling": { "type": "dynamic", "factor": 2 } }""", 512, 5000)]
    public void Rope_scaling_stretches_the_context(string changes, int meantFor, int wanted)
    {
        var config = ConfigText.ReadWith(changes);
        Assert.Equal(meantFor, config.ContextLimit(null));
        Assert.Equal(100, config.ContextLimit(100));
        Assert.Equal(config.Rope.Type == RopeType.Dynamic ? wanted : meantFor, config.ContextLimit(wanted));
    }

    [Fact]
    public void Classes_that_turn_whole_heads_ignore_a_share_beside_the_default_type() =>
        Assert.Equal(1, ConfigText.ReadWith("""{ "partial_rotary_factor": 0.25 }""").Rope.PartialFactor);

    [Fact]
    public void Without_architectures_the_model_type_decides() =>
        Assert.Equal("Qwen2ForCausalLM", ConfigText.Read("""{ "model_type": "qwen2" }""").Architecture.Name);

    [Theory]
    [InlineData("""{ "architectures": ["GemmaForCausalLM"] }""", "GemmaForCausalLM", "LlamaForCausalLM, MistralForCausalLM")]
    [InlineData("""{ "hidden_act": "quick_gelu" }""", "quick_gelu", "silu, gelu, gelu_pytorch_tanh, relu")]
    [InlineData("""{ "quantization_config": { "quant_method": "bitsandbytes" } }""", "bitsandbytes", "awq (gemm), gptq")]
    [InlineData("""{ "rope_scaling": { "type": "su" } }""", "su", "default, linear, dynamic, yarn, longrope, llama3")]
    [InlineData("""{ "rope_parameters": { "rope_type": "linear", "factor": 2, "partial_rotary_factor": 0.5 } }""", "0.5", "partial_rotary_factor")]
    [InlineData("""{ "partial_rotary_factor": 0.25, "rope_scaling": { "type": "linear", "factor": 2 } }""", "0.25", "partial_rotary_factor")]
    [InlineData("""{ "architectures": ["Phi3ForCausalLM"], "rope_scaling": { "type": "linear", "factor": 2 } }""", "linear", "default, longrope")]
    [InlineData("""{ "architectures": ["Phi3ForCausalLM"], "partial_rotary_factor": 1.5 }""", "1.5", "even number")]
    [InlineData("""{ "architectures": ["Gemma2ForCausalLM"], "use_bidirectional_attention": true }""", "use_bidirectional_attention", "false")]
    [InlineData("""{ "rope_parameters": { "full_attention": { "rope_type": "default" } } }""", "full_attention", "one set")]
    [InlineData("""{ "head_dim": 12 }""", "12", "multiples of 8")]
    public void What_is_not_supported_is_refused_by_name(string changes, string value, string supported)
    {
        var exception = Assert.Throws<ModelLoadException>(() => ConfigText.ReadWith(changes));
        Assert.True(exception.IsUnsupported);
        Assert.Contains(value, exception.Message, StringComparison.Ordinal);
        Assert.Contains(supported, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "hidden_size": "64" }""", "hidden_size", "\"64\"")]
    [InlineData("""{ "hidden_size": 0 }""", "hidden_size", "0")]
    [InlineData("""{ "hidden_size": 9999999999 }""", "hidden_size", "9999999999")]
    [InlineData("""{ "num_hidden_layers": -1 }""", "num_hidden_layers", "-1")]
    [InlineData("""{ "num_hidden_layers": 2.5 }""", "num_hidden_layers", "2.5")]
    [InlineData("""{ "num_key_value_heads": 3 }""", "num_key_value_heads", "does not divide num_attention_heads 4")]
    [InlineData("""{ "num_key_value_heads": 8 }""", "num_key_value_heads", "8")]
    [InlineData("""{ "rms_norm_eps": -1 }""", "rms_norm_eps", "-1")]
    [InlineData("""{ "tie_word_embeddings": 1 }""", "tie_word_embeddings", "1")]
    [InlineData("""{ "rope_scaling": { "rope_type": "linear" } }""", "rope_scaling.factor", "missing")]
    [InlineData("""{ "rope_scaling": "linear" }""", "rope_scaling", "an object")]
    [InlineData("""{ "eos_token_id": ["a"] }""", "eos_token_id", "token id")]
    [InlineData("""{ "architectures": "Llama" }""", "architectures", "a list of strings")]
    public void Wrong_values_are_named(string changes, string key, string detail)
    {
        var exception = Assert.Throws<ModelLoadException>(() => ConfigText.ReadWith(changes));
        Assert.False(exception.IsUnsupported);
        Assert.Contains($"'{key}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(detail, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[1]")]
    [InlineData("")]
    public void Files_that_are_not_JSON_objects_are_refused(string text) =>
        Assert.Contains("config.json", Assert.Throws<ModelLoadException>(() => ConfigText.Read(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_file_that_names_no_architecture_is_refused() =>
        Assert.Contains("'architectures'", Assert.Throws<ModelLoadException>(() => ConfigText.Read("{}")).Message, StringComparison.Ordinal);

    [Fact]
    public void The_shapes_for_benchmarks_are_read()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Fastgen.Aspire.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("No folder above the tests holds Fastgen.Aspire.sln.");
        }

        foreach (var folder in Directory.GetDirectories(Path.Combine(root, "models", "shapes")))
        {
            Assert.Equal(ElementType.Bf16, ModelConfig.Load(Path.Combine(folder, "config.json")).StoredType);
        }
    }
}
