namespace Fastgen.Engine.Model.Architectures;

/// <summary>Qwen3: as Qwen2 with norms of query and key heads, and a bias only where <c>attention_bias</c> says so.</summary>
internal static class Qwen3Architecture
{
    public static Architecture Definition { get; } = Qwen2Architecture.Definition with
    {
        Name = "Qwen3ForCausalLM",
        ModelType = "qwen3",
        Defaults = Qwen2Architecture.Definition.Defaults with { HeadDim = 128 },
        HeadNorms = true,
        Biases = json =>
        {
            var attention = json.Boolean("attention_bias") ?? false;
            return new LinearBiases(attention, attention, Mlp: false);
        },
    };
}
