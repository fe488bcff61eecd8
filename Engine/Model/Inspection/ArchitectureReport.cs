namespace Fastgen.Engine.Model.Inspection;

/// <summary>What config.json says of the model's shape. Values that the file does not hold, or not as they should be, are null.</summary>
public sealed record ArchitectureReport
{
    /// <summary>Class name, <c>architectures</c>; else <c>model_type</c>.</summary>
    public string? Name { get; init; }

    /// <summary>Class of the language model where <see cref="Name"/> is a multimodal one around it: then only text is served, and what follows is the language model's. Else null.</summary>
    public string? TextModel { get; init; }

    /// <summary>Whether the engine runs this configuration.</summary>
    public required bool IsSupported { get; init; }

    /// <summary>Architectures that the engine runs.</summary>
    public required IReadOnlyList<string> Supported { get; init; }

    /// <summary>Layers.</summary>
    public long? Layers { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public long? HiddenSize { get; init; }

    /// <summary>Query heads.</summary>
    public long? Heads { get; init; }

    /// <summary>Key and value heads.</summary>
    public long? KeyValueHeads { get; init; }

    /// <summary>Dimensions of a head.</summary>
    public long? HeadDim { get; init; }

    /// <summary>Rows of the embedding table.</summary>
    public long? VocabularySize { get; init; }

    /// <summary>Experts of a layer, where there are any.</summary>
    public long? Experts { get; init; }

    /// <summary>Longest context that the model was made for, in tokens.</summary>
    public long? ContextTokens { get; init; }

    /// <summary>Kind of rotary position embedding: default, linear, dynamic, yarn, llama3 and so on.</summary>
    public string? Rope { get; init; }

    /// <summary>Layers that see a window only.</summary>
    public int? WindowedLayers { get; init; }

    /// <summary>Type that the file says the weights have.</summary>
    public string? StoredType { get; init; }

    /// <summary>Quantisation that the file names, or null.</summary>
    public string? Quantization { get; init; }
}
