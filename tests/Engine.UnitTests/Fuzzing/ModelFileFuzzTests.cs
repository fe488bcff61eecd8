using System.Text;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.UnitTests.Model;
using Fastgen.Engine.UnitTests.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Fuzzing;

/// <summary>Damaged config.json and safetensors files are refused by a <see cref="ModelLoadException"/>, or read.</summary>
public sealed class ModelFileFuzzTests
{
    private static readonly string[] ConfigKeys =
    [
        "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4}", "\"rope_scaling\":{\"type\":\"llama3\"}", "\"head_dim\":", "\"sliding_window\":", "\"layer_types\":[\"full_attention\"]",
        "\"architectures\":[\"Qwen2ForCausalLM\"]", "\"model_type\":\"mistral\"", "\"quantization_config\":{\"quant_method\":\"awq\"}", "\"eos_token_id\":[1,2]", "\"rope_parameters\":{", "\"num_key_value_heads\":",
        "\"text_config\":{", "\"architectures\":[\"Mistral3ForConditionalGeneration\"]", "\"quantization_config\":{\"quant_method\":\"mxfp4\"}",
    ];

    private static readonly string[] HeaderKeys =
        ["\"dtype\":\"BF16\"", "\"dtype\":\"F8_E4M3\"", "\"shape\":[", "\"data_offsets\":[0,", "\"__metadata__\":{", "4294967296", "9223372036854775807"];

    [Fact]
    public void ConfigJson() => FuzzRun.Over(
        "config.json",
        10_000,
        [
            Encoding.UTF8.GetBytes(ConfigText.Llama),
            Encoding.UTF8.GetBytes(ConfigText.With("""{"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":8192}}""")),
            Encoding.UTF8.GetBytes(ConfigText.With("""{"architectures":["MistralForCausalLM"],"sliding_window":32,"eos_token_id":[1,2],"rope_parameters":{"rope_type":"yarn","factor":4.0,"rope_theta":10000.0,"original_max_position_embeddings":64}}""")),
            Encoding.UTF8.GetBytes(ConfigText.With("""{"architectures":["Qwen2ForCausalLM"],"use_sliding_window":true,"max_window_layers":2,"sliding_window":32}""")),
            Encoding.UTF8.GetBytes("""{"architectures":["Gemma3ForConditionalGeneration"],"eos_token_id":[1,106],"vision_config":{},"text_config":""" + ConfigText.With("""{"model_type":"gemma3_text","sliding_window":32}""") + "}"),
            Encoding.UTF8.GetBytes("""{"architectures":["GptOssForCausalLM"],"num_hidden_layers":2,"num_local_experts":4,"num_experts_per_tok":2,"quantization_config":{"quant_method":"mxfp4","modules_to_not_convert":["lm_head"]}}"""),
        ],
        ConfigKeys,
        bytes => _ = ModelConfig.Read(Engine.Model.ConfigJson.Parse(bytes, "config.json")),
        error => error is ModelLoadException);

    [Fact]
    public void SafetensorsHeaders() => FuzzRun.Over(
        "safetensors",
        10_000,
        [
            SafetensorsBytes.Floats(("a", [2, 3], new float[6]), ("b", [4], new float[4])),
            SafetensorsBytes.File("""{"__metadata__":{"format":"pt"},"x":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},"y":{"dtype":"F8_E4M3","shape":[],"data_offsets":[8,9]}}""", 9),
        ],
        HeaderKeys,
        bytes => _ = SafetensorsHeader.Read(new MemoryStream(bytes), bytes.Length, "model.safetensors"),
        error => error is ModelLoadException);
}
