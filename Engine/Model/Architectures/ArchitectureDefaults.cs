namespace Fastgen.Engine.Model.Architectures;

/// <summary>Defaults of a configuration class of transformers, for keys that a config.json leaves out.</summary>
internal sealed record ArchitectureDefaults
{
    public int VocabularySize { get; init; } = 32_000;

    public int HiddenSize { get; init; } = 4096;

    public required int IntermediateSize { get; init; }

    public int LayerCount { get; init; } = 32;

    public int HeadCount { get; init; } = 32;

    /// <summary>Null: as many as query heads.</summary>
    public required int? KeyValueHeadCount { get; init; }

    /// <summary>Null: hidden size / query heads.</summary>
    public int? HeadDim { get; init; }

    public Activation Activation { get; init; } = Activation.Silu;

    public required int MaxPositions { get; init; }

    public double RmsNormEpsilon { get; init; } = 1e-6;

    public double RopeTheta { get; init; } = 10_000;

    public bool TieWordEmbeddings { get; init; }
}
