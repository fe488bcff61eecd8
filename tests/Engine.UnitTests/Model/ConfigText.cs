using System.Text;
using System.Text.Json.Nodes;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.UnitTests.Model;

/// <summary>Small config.json texts with single keys changed.</summary>
internal static class ConfigText
{
    public const string Llama = """
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 100, "hidden_size": 64, "intermediate_size": 96,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
          "rms_norm_eps": 1e-05, "hidden_act": "silu", "tie_word_embeddings": false, "torch_dtype": "float32"
        }
        """;

    public static ModelConfig Read(string json) => ModelConfig.Read(Parse(json));

    /// <summary>Merges keys into the Llama text; null as a string removes one.</summary>
    public static ModelConfig ReadWith(string changes) => Read(With(changes));

    public static string With(string changes)
    {
        var root = JsonNode.Parse(Llama)!.AsObject();
        foreach (var (key, value) in JsonNode.Parse(changes)!.AsObject())
        {
            root[key] = value?.DeepClone();
        }

        return root.ToJsonString();
    }

    public static ConfigJson Parse(string json) => ConfigJson.Parse(Encoding.UTF8.GetBytes(json), "config.json");
}
