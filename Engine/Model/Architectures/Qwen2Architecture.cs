namespace Fastgen.Engine.Model.Architectures;

/// <summary>Qwen2 and Qwen2.5: bias on query, key and value; windows only where <c>use_sliding_window</c> says so, from layer <c>max_window_layers</c> on.</summary>
internal static class Qwen2Architecture
{
    public static Architecture Definition { get; } = new()
    {
        Name = "Qwen2ForCausalLM",
        ModelType = "qwen2",
        Defaults = new ArchitectureDefaults { VocabularySize = 151_936, IntermediateSize = 22_016, KeyValueHeadCount = 32, MaxPositions = 32_768 },
        Biases = _ => new LinearBiases(Qkv: true, AttentionOutput: false, Mlp: false),
        SlidingWindows = (json, layers) =>
        {
            var window = json.Boolean("use_sliding_window") == true ? LayerWindows.Window(json, defaultWindow: 4096) : null;
            if (LayerWindows.FromLayerTypes(json, layers, window) is { } listed)
            {
                return listed;
            }

            var firstWindowed = json.Integer("max_window_layers", 0, int.MaxValue) ?? 28;
            return [.. Enumerable.Range(0, layers).Select(layer => layer >= firstWindowed ? window : null)];
        },
    };
}
