namespace Fastgen.Engine.Model.Architectures;

/// <summary>Reads which layers attend to a window of the context only.</summary>
internal static class LayerWindows
{
    /// <summary>config.json <c>sliding_window</c>: absent takes the default, null means none.</summary>
    public static int? Window(ConfigJson json, int? defaultWindow) =>
        json.Integer("sliding_window", 1, int.MaxValue) ?? (json.IsNull("sliding_window") ? null : defaultWindow);

    /// <summary>Where the file lists no layer types, all layers have the window but the last of each period.</summary>
    public static IReadOnlyList<int?> Periodic(ConfigJson json, int layers, int? window, int period) =>
        FromLayerTypes(json, layers, window)
            ?? [.. Enumerable.Range(1, layers).Select(number => number % period == 0
                ? (int?)null
                : window ?? throw json.Error("sliding_window", "is null, but this architecture has layers with a window; correct the file."))];

    /// <summary>config.json <c>layer_types</c>; null where the file has none.</summary>
    /// <exception cref="ModelLoadException">Not one type per layer, an unknown type, or a windowed layer without a window.</exception>
    public static IReadOnlyList<int?>? FromLayerTypes(ConfigJson json, int layers, int? window)
    {
        if (json.Strings("layer_types") is not { } types)
        {
            return null;
        }

        if (types.Count != layers)
        {
            throw json.Error("layer_types", $"lists {types.Count} layers, but num_hidden_layers is {layers}; correct the file.");
        }

        return [.. types.Select(type => type switch
        {
            "full_attention" => (int?)null,
            "sliding_attention" => window ?? throw json.Error("layer_types", "has 'sliding_attention', but the file sets no sliding window; correct 'sliding_window' or 'use_sliding_window'."),
            _ => throw json.Unsupported("layer_types", type, "full_attention, sliding_attention"),
        })];
    }
}
