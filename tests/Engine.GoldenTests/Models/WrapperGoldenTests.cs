using System.Text.Json.Nodes;
using Fastgen.Engine.GoldenTests.Models.Rewriting;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Inspection;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>Reference models put into multimodal ones as they are published: settings nested, names prefixed, other parts beside. The language model's logits stay what they were, to the bit.</summary>
public sealed class WrapperGoldenTests
{
    /// <summary>What Gemma3TextConfig of transformers has by itself; published files leave it out.</summary>
    private const string GemmaDefaults = """
        { "rms_norm_eps": 1e-06, "rope_theta": 1000000, "rope_local_base_freq": 10000, "hidden_activation": "gelu_pytorch_tanh", "attention_bias": false,
          "attn_logit_softcapping": null, "final_logit_softcapping": null, "tie_word_embeddings": true }
        """;

    private static readonly string[] Parts = ["{0}vision_tower.layers.0.self_attn.q_proj.weight", "{0}vision_tower.ln_pre.weight", "{0}multi_modal_projector.linear_1.weight"];

    /// <summary>How tensors are spelled: in place of <c>model.</c>, in place of <c>lm_head.</c>, and in front of other parts.</summary>
    private static readonly (string Body, string Head, string Other)[] Spellings =
    [
        ("language_model.model.", "language_model.lm_head.", ""),
        ("model.language_model.", "lm_head.", "model."),
        ("language_model.", "lm_head.", ""),
        ("language_model.", "language_model.lm_head.", ""),
    ];

    public static TheoryData<string> Cases => [.. Names];

    internal static IEnumerable<string> Names =>
        RewrittenModel.Cases((architecture, _) => architecture is "MistralForCausalLM" or "Ministral3ForCausalLM" or "MinistralForCausalLM" or "Gemma3ForCausalLM" or "LlamaForCausalLM");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Cases))]
    public void Logits_are_those_of_the_language_model_alone(string name)
    {
        List<float[]>[]? expected = null;
        foreach (var (body, head, other) in Spellings)
        {
            using var model = new RewrittenModel(name);
            expected ??= model.OriginalLogits();
            Wrap(model, body, head, other);
            var actual = model.Logits();

            // Gemma3ForConditionalGeneration gives logits as its output matrix makes them, whatever the text part says of a cap.
            if (model.Config["text_config"]!["final_logit_softcapping"]?.GetValue<double>() is { } cap)
            {
                Assert.All(expected.Zip(actual).SelectMany(prompt => prompt.First.Zip(prompt.Second)).SelectMany(row => row.First.Zip(row.Second)), pair => Assert.Equal(pair.First, cap * Math.Tanh(pair.Second / cap), 1e-4));
            }
            else
            {
                for (var prompt = 0; prompt < expected.Length; prompt++)
                {
                    Assert.Equal(expected[prompt], actual[prompt]);
                }
            }

            var report = ModelInspection.Read(model.Folder);
            Assert.Equal("", string.Join('\n', report.Problems));
            Assert.EndsWith("ForConditionalGeneration", report.Architecture!.Name, StringComparison.Ordinal);
            Assert.EndsWith("ForCausalLM", report.Architecture.TextModel, StringComparison.Ordinal);
            Assert.Equal([other + "multi_modal_projector", other + "vision_tower"], report.Weights!.Ignored.Select(part => part.Name));
            Assert.Equal([1, 2], report.Weights.Ignored.Select(part => part.Tensors));
            Assert.Equal(report.Weights.TensorBytes - report.Weights.Ignored.Sum(part => part.Bytes), report.Memory!.WeightBytes);
        }
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Cases))]
    public void A_missing_tensor_is_named_as_the_file_would_spell_it(string name)
    {
        using var model = new RewrittenModel(name);
        Wrap(model, "language_model.model.", "language_model.lm_head.", "");
        model.Tensors.Remove("language_model.model.norm.weight");
        model.Save();
        Assert.Contains("'language_model.model.norm.weight'", Assert.Throws<ModelLoadException>(() => ModelRunner.Load(new ModelRunnerOptions { Model = model.Folder, Device = "cpu" })).Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> StaticFloat8Cases => [.. RewrittenModel.Cases((_, method) => method == "fp8")
        .Where(name => File.ReadAllText(Path.Combine(GoldenFolder.Models[name], "config.json")).Contains("\"static\"", StringComparison.Ordinal))];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(StaticFloat8Cases))]
    public void Scales_may_have_the_names_that_Mistral_gives_them(string name)
    {
        using var model = new RewrittenModel(name);
        foreach (var (key, tensor) in model.Tensors.ToList())
        {
            var renamed = key.Replace(".weight_scale", ".weight_scale_inv", StringComparison.Ordinal).Replace(".input_scale", ".activation_scale", StringComparison.Ordinal);
            model.Tensors.Remove(key);
            model.Tensors.Add(renamed, tensor);
        }

        model.Config["quantization_config"]!["weight_block_size"] = null;
        Wrap(model, "language_model.model.", "language_model.lm_head.", "");
        var (expected, actual) = (model.OriginalLogits(), model.Logits());
        for (var prompt = 0; prompt < expected.Length; prompt++)
        {
            Assert.Equal(expected[prompt], actual[prompt]);
        }

        // The name is looked for, not skipped.
        model.Tensors.Remove(model.Tensors.Keys.First(key => key.EndsWith(".activation_scale", StringComparison.Ordinal)));
        model.Save();
        Assert.Contains("input_scale' is missing", Assert.Throws<ModelLoadException>(() => ModelRunner.Load(new ModelRunnerOptions { Model = model.Folder, Device = "cpu" })).Message, StringComparison.Ordinal);
    }

    /// <summary>Puts a model into a multimodal one, with tensors of other parts beside its own.</summary>
    /// <param name="body">Stands in place of <c>model.</c>.</param>
    /// <param name="head">Stands in place of <c>lm_head.</c>.</param>
    /// <param name="other">Stands in front of other parts.</param>
    internal static void Wrap(RewrittenModel model, string body, string head, string other)
    {
        var text = model.Config.DeepClone().AsObject();
        var isGemma = text["architectures"]![0]!.GetValue<string>() == "Gemma3ForCausalLM";
        var wrapper = new JsonObject
        {
            ["architectures"] = new JsonArray(isGemma ? "Gemma3ForConditionalGeneration" : "Mistral3ForConditionalGeneration"),
            ["model_type"] = isGemma ? "gemma3" : "mistral3",
            ["vision_config"] = new JsonObject { ["model_type"] = isGemma ? "siglip_vision_model" : "pixtral", ["hidden_size"] = 8 },
        };
        foreach (var key in (string[])["architectures", "torch_dtype", "dtype", "eos_token_id", "bos_token_id", "quantization_config", "transformers_version"])
        {
            if (text.Remove(key, out var value) && key != "architectures")
            {
                wrapper[key] = value;
            }
        }

        foreach (var (key, value) in isGemma ? JsonNode.Parse(GemmaDefaults)!.AsObject() : [])
        {
            if (text.ContainsKey(key) && (text[key] is null ? value is null : value is not null && JsonNode.DeepEquals(text[key], value)))
            {
                text.Remove(key);
            }
        }

        // The class around has a default of its own.
        if (text["model_type"]!.GetValue<string>() is "mistral" or "gemma3_text")
        {
            text.Remove("model_type");
        }

        wrapper["text_config"] = text;
        model.ReplaceConfig(wrapper);
        foreach (var (key, tensor) in model.Tensors.ToList())
        {
            model.Tensors.Remove(key);
            model.Tensors.Add(key.StartsWith("lm_head.", StringComparison.Ordinal) ? head + key["lm_head.".Length..] : body + key["model.".Length..], tensor);
        }

        foreach (var part in Parts)
        {
            model.Tensors.Add(part.Replace("{0}", other, StringComparison.Ordinal), RewrittenTensor.Of("I16", [2, 3], new short[6]));
        }
    }
}
