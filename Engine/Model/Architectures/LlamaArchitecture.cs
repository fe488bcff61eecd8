namespace Fastgen.Engine.Model.Architectures;

/// <summary>Llama 2 and 3, and the many models that use their class.</summary>
internal static class LlamaArchitecture
{
    public static Architecture Definition { get; } = new()
    {
        Name = "LlamaForCausalLM",
        ModelType = "llama",
        Defaults = new ArchitectureDefaults { IntermediateSize = 11_008, KeyValueHeadCount = null, MaxPositions = 2048 },
        Biases = json =>
        {
            var attention = json.Boolean("attention_bias") ?? false;
            return new LinearBiases(attention, attention, json.Boolean("mlp_bias") ?? false);
        },
        SlidingWindows = (_, layers) => new int?[layers],
    };
}
