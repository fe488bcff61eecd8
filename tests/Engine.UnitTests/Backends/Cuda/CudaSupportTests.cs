using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.UnitTests.Model;

namespace Fastgen.Engine.UnitTests.Backends.Cuda;

/// <summary>What the CUDA kernels lack is named before anything of the device or the weights is touched: these tests run without either.</summary>
public sealed class CudaSupportTests
{
    [Theory]
    [InlineData("""{ "head_dim": 320 }""", "heads of 320 dimensions (supported: up to 256)")]
    [InlineData("""{ "num_attention_heads": 32, "num_key_value_heads": 1, "head_dim": 64 }""", "32 query heads per key head (supported: up to 16)")]
    [InlineData("""{ "hidden_size": 68, "head_dim": 16 }""", "hidden_size 68 (supported: multiples of 8)")]
    [InlineData("""{ "intermediate_size": 100 }""", "intermediate_size 100 (supported: multiples of 8)")]
    [InlineData("""{ "architectures": ["Qwen3MoeForCausalLM"], "moe_intermediate_size": 36 }""", "an expert's intermediate size 36 (supported: multiples of 8)")]
    public void What_the_kernels_lack_is_refused_by_name(string changes, string missing)
    {
        var config = ConfigText.ReadWith(changes);
        var exception = Assert.Throws<ModelLoadException>(() => BackendFactory.RequireSupport(new ModelRunnerOptions { Model = "m", Device = "cuda:3" }, config));
        Assert.True(exception.IsUnsupported);
        Assert.Contains(missing, exception.Message, StringComparison.Ordinal);
        Assert.Contains("is not supported on cuda yet; use --device cpu", exception.Message, StringComparison.Ordinal);
        BackendFactory.RequireSupport(new ModelRunnerOptions { Model = "m", Device = "cpu" }, config);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{ "head_dim": 120 }""")]
    [InlineData("""{ "hidden_act": "gelu" }""")]
    [InlineData("""{ "rope_scaling": { "type": "dynamic", "factor": 2 } }""")]
    [InlineData("""{ "rope_scaling": { "type": "yarn", "factor": 2 }, "attention_bias": true }""")]
    [InlineData("""{ "architectures": ["Phi3ForCausalLM"], "rope_scaling": null }""")]
    [InlineData("""{ "architectures": ["Phi3ForCausalLM"], "head_dim": 16, "partial_rotary_factor": 0.5 }""")]
    [InlineData("""{ "architectures": ["Qwen3ForCausalLM"] }""")]
    [InlineData("""{ "architectures": ["Gemma2ForCausalLM"] }""")]
    [InlineData("""{ "architectures": ["Gemma3ForCausalLM"] }""")]
    [InlineData("""{ "architectures": ["Ministral3ForCausalLM"], "rope_parameters": { "rope_type": "default", "llama_4_scaling_beta": 0.1 } }""")]
    public void What_they_have_is_not(string changes) =>
        BackendFactory.RequireSupport(new ModelRunnerOptions { Model = "m", Device = "cuda" }, ConfigText.ReadWith(changes));
}
