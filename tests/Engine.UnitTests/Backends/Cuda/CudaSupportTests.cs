using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.UnitTests.Model;

namespace Fastgen.Engine.UnitTests.Backends.Cuda;

/// <summary>What the CUDA kernels lack is named before anything of the device or the weights is touched: these tests run without either.</summary>
public sealed class CudaSupportTests
{
    [Theory]
    [InlineData("""{ "architectures": ["Qwen3ForCausalLM"] }""", "norms of query and key heads")]
    [InlineData("""{ "architectures": ["Gemma2ForCausalLM"] }""", "soft-capped logits")]
    [InlineData("""{ "architectures": ["Gemma3ForCausalLM"] }""", "rotary embeddings by layer type")]
    [InlineData("""{ "architectures": ["Ministral3ForCausalLM"], "rope_parameters": { "rope_type": "default", "llama_4_scaling_beta": 0.1 } }""", "queries scaled by position")]
    [InlineData("""{ "architectures": ["Phi3ForCausalLM"], "head_dim": 16, "partial_rotary_factor": 0.5 }""", "heads that turn in part")]
    [InlineData("""{ "rope_scaling": { "type": "dynamic", "factor": 2 } }""", "rope type dynamic")]
    [InlineData("""{ "hidden_act": "gelu" }""", "activation Gelu")]
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
    [InlineData("""{ "architectures": ["Phi3ForCausalLM"], "rope_scaling": null }""")]
    [InlineData("""{ "rope_scaling": { "type": "yarn", "factor": 2 }, "attention_bias": true }""")]
    public void What_they_have_is_not(string changes) =>
        BackendFactory.RequireSupport(new ModelRunnerOptions { Model = "m", Device = "cuda" }, ConfigText.ReadWith(changes));
}
