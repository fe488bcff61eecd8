namespace Fastgen.Engine.Model.Architectures;

/// <summary>Ministral: Mistral with full and windowed layers in turn (<c>layer_types</c>).</summary>
internal static class MinistralArchitecture
{
    public static Architecture Definition { get; } = MistralArchitecture.Definition with
    {
        Name = "MinistralForCausalLM",
        ModelType = "ministral",
        SlidingWindows = (json, layers) =>
        {
            var window = LayerWindows.Window(json, defaultWindow: 4096);
            return LayerWindows.FromLayerTypes(json, layers, window) ?? Enumerable.Repeat(window, layers).ToArray();
        },
    };
}
