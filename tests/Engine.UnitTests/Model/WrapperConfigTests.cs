using Fastgen.Engine.Model;
using Fastgen.Engine.UnitTests.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model;

/// <summary>config.json files of multimodal models, of which the language model is served.</summary>
public sealed class WrapperConfigTests
{
    [Fact]
    public void Gemma_3_takes_what_its_text_class_has_by_itself()
    {
        // As gemma-3-4b is published: heads, their dimensions and the vocabulary are left out.
        var config = ConfigText.Read("""
            { "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": 255999, "eos_token_id": [1, 106], "torch_dtype": "bfloat16",
              "text_config": { "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34, "rope_scaling": { "factor": 8.0, "rope_type": "linear" }, "sliding_window": 1024 },
              "vision_config": { "hidden_size": 1152, "model_type": "siglip_vision_model", "num_attention_heads": 16 } }
            """);
        Assert.Equal(("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"), (config.Architecture.Name, config.Wrapper!.Name));
        Assert.Equal((262_208, 2560, 10_240, 34, 8, 4, 256), (config.VocabularySize, config.HiddenSize, config.IntermediateSize, config.LayerCount, config.HeadCount, config.KeyValueHeadCount, config.HeadDim));
        Assert.Equal((131_072, 1e-6f, true, 1 / 16f, Activation.GeluTanh), (config.MaxPositions, config.RmsNormEpsilon, config.TieWordEmbeddings, config.AttentionScale, config.Activation));
        Assert.Equal((RopeType.Linear, 1_000_000, 8, RopeType.Default, 10_000), (config.Rope.Type, config.Rope.Theta, config.Rope.Factor, config.LocalRope.Type, config.LocalRope.Theta));
        Assert.Equal([1024, 1024, 1024, 1024, 1024, null], config.SlidingWindows.Take(6));
        Assert.Equal([1, 106], config.EosTokenIds);
        Assert.Equal(ElementType.Bf16, config.StoredType);
    }

    [Fact]
    public void Mistral_small_3_is_mistral_unless_it_says_otherwise()
    {
        const string Text = """
            "hidden_size": 5120, "head_dim": 128, "intermediate_size": 32768, "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131072,
            "rms_norm_eps": 1e-05, "rope_theta": 1000000000.0, "sliding_window": null, "vocab_size": 131072, "eos_token_id": 2
            """;
        var config = ConfigText.Read($$"""{ "architectures": ["Mistral3ForConditionalGeneration"], "text_config": { {{Text}} } }""");
        Assert.Equal(("MistralForCausalLM", 1e9, false), (config.Architecture.Name, config.Rope.Theta, config.TieWordEmbeddings));
        Assert.All(config.SlidingWindows, Assert.Null);
        Assert.Equal([2], config.EosTokenIds);

        // What Ministral3Config has by itself.
        var ministral = ConfigText.Read("""{ "architectures": ["Mistral3ForConditionalGeneration"], "text_config": { "model_type": "ministral3" } }""");
        Assert.Equal((131_072, 4096, 14_336, 34, 32, 8, 128), (ministral.VocabularySize, ministral.HiddenSize, ministral.IntermediateSize, ministral.LayerCount, ministral.HeadCount, ministral.KeyValueHeadCount, ministral.HeadDim));
        Assert.Equal((RopeType.Yarn, 16, 16_384, 0.1), (ministral.Rope.Type, ministral.Rope.Factor, ministral.Rope.OriginalMaxPositions, ministral.Rope.QueryScalingBeta));
    }

    [Theory]
    [InlineData("""{ "model_type": "llava" }""", "LlamaForCausalLM")]
    [InlineData("""{ "architectures": ["LlavaNextForConditionalGeneration"], "text_config": { "model_type": "mistral" } }""", "MistralForCausalLM")]
    [InlineData("""{ "model_type": "gemma3", "text_config": {} }""", "Gemma3ForCausalLM")]
    public void The_type_of_the_text_decides(string json, string architecture)
    {
        json = json.Contains("text_config", StringComparison.Ordinal) ? json : json.Replace("}", ", \"text_config\": {} }", StringComparison.Ordinal);
        Assert.Equal(architecture, ConfigText.Read(json).Architecture.Name);
    }

    [Fact]
    public void Quantisation_may_be_said_inside_or_outside()
    {
        const string Quantization = """ "quantization_config": { "quant_method": "fp8", "activation_scheme": "static", "weight_block_size": null, "modules_to_not_convert": ["model.vision_tower", "lm_head"] } """;
        Assert.Contains("static", ConfigText.Read($$"""{ "model_type": "mistral3", "text_config": {}, {{Quantization}} }""").Quantization!.Description, StringComparison.Ordinal);
        Assert.Contains("static", ConfigText.Read($$"""{ "model_type": "mistral3", "text_config": { {{Quantization}} } }""").Quantization!.Description, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "architectures": ["Mistral3ForConditionalGeneration"] }""", "'text_config' is missing, but Mistral3ForConditionalGeneration keeps", false)]
    [InlineData("""{ "architectures": ["Gemma3ForConditionalGeneration"], "text_config": null }""", "'text_config' is missing", false)]
    [InlineData("""{ "model_type": "llava", "text_config": [1] }""", "'text_config' is [1], expected an object", false)]
    [InlineData("""{ "model_type": "gemma3", "text_config": "text" }""", "'text_config' is \"text\", expected an object", false)]
    [InlineData("""{ "model_type": "mistral3", "text_config": { "model_type": 3 } }""", "'text_config.model_type' is 3, expected a string", false)]
    [InlineData("""{ "model_type": "mistral3", "text_config": { "model_type": "mistral3", "text_config": {} } }""", "'text_config.model_type' is 'mistral3'", true)]
    [InlineData("""{ "model_type": "llava", "text_config": { "model_type": "cohere" } }""", "'text_config.model_type' is 'cohere', which is not supported; supported: llama, mistral", true)]
    [InlineData("""{ "model_type": "mistral3", "text_config": { "hidden_size": -1 } }""", "'text_config.hidden_size' is -1", false)]
    [InlineData("""{ "architectures": ["Qwen2VLForConditionalGeneration"], "text_config": {} }""", "Mistral3ForConditionalGeneration (text only)", true)]
    public void What_is_wrong_is_named_once(string json, string problem, bool isUnsupported)
    {
        var exception = Assert.Throws<ModelLoadException>(() => ConfigText.Read(json));
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
        Assert.Equal(isUnsupported, exception.IsUnsupported);

        using var folder = new TemporaryFolder();
        folder.Write("config.json", json);
        folder.Write("model.safetensors", SafetensorsBytes.Floats(("a", [1], [1])));
        var report = Engine.Model.Inspection.ModelInspection.Read(folder.Root);
        Assert.Contains(problem, Assert.Single(report.Problems).Message, StringComparison.Ordinal);
        Assert.False(report.Architecture!.IsSupported);
    }

    [Fact]
    public void Ends_of_sequence_may_stand_in_the_text_part()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", """{ "model_type": "mistral3", "eos_token_id": null, "text_config": { "eos_token_id": 2 } }""");
        Assert.Equal([2], GenerationDefaults.LoadFolder(folder.Root).EndOfSequenceIds);
        folder.Write("config.json", """{ "model_type": "mistral3", "eos_token_id": [1, 106], "text_config": { "eos_token_id": 1 } }""");
        Assert.Equal([1, 106], GenerationDefaults.LoadFolder(folder.Root).EndOfSequenceIds);
    }
}
