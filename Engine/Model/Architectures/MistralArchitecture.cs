namespace Fastgen.Engine.Model.Architectures;

/// <summary>Mistral 7B and its successors: one attention window for all layers, or none.</summary>
internal static class MistralArchitecture
{
    public static Architecture Definition { get; } = new()
    {
        Name = "MistralForCausalLM",
        ModelType = "mistral",
        Defaults = new ArchitectureDefaults { IntermediateSize = 14_336, KeyValueHeadCount = 8, MaxPositions = 131_072 },
        Biases = _ => default,
        SlidingWindows = (json, layers) =>
        {
            var windows = new int?[layers];
            Array.Fill(windows, LayerWindows.Window(json, defaultWindow: 4096));
            return windows;
        },
    };
}
