namespace Fastgen.Engine.Model.Architectures;

/// <summary>An architecture as data: how its config.json and its weight names map onto the one forward pass.</summary>
internal sealed record Architecture
{
    /// <summary>Class name as in config.json <c>architectures</c>.</summary>
    public required string Name { get; init; }

    /// <summary>config.json <c>model_type</c>.</summary>
    public required string ModelType { get; init; }

    /// <summary>What transformers takes where config.json has no key.</summary>
    public required ArchitectureDefaults Defaults { get; init; }

    /// <summary>Which linear layers have a bias.</summary>
    public required Func<ConfigJson, LinearBiases> Biases { get; init; }

    /// <summary>Attention window of each layer: null sees all.</summary>
    public required Func<ConfigJson, int, IReadOnlyList<int?>> SlidingWindows { get; init; }

    public RopeRules Rope { get; init; } = new();

    /// <summary>config.json key of the function on the gate.</summary>
    public string ActivationKey { get; init; } = "hidden_act";

    /// <summary>Each query and key head is normed before it is turned.</summary>
    public bool HeadNorms { get; init; }

    /// <summary>What the checkpoint leaves out of norm weights: Gemma stores them less one.</summary>
    public float NormWeightOffset { get; init; }

    /// <summary>Embeddings are multiplied by the square root of the hidden size.</summary>
    public bool ScalesEmbeddings { get; init; }

    /// <summary>The number whose inverse square root scales attention; null takes the dimensions of a head.</summary>
    public Func<ConfigJson, double>? AttentionScalar { get; init; }

    /// <summary>Soft cap on attention's scaled products.</summary>
    public Func<ConfigJson, double?>? AttentionSoftCap { get; init; }

    /// <summary>Soft cap on logits.</summary>
    public Func<ConfigJson, double?>? LogitSoftCap { get; init; }

    /// <summary>Each query head has a sink that takes its share of the softmax.</summary>
    public bool AttentionSinks { get; init; }

    /// <summary>The mixture of experts of a config.json with so many layers; null from it where all layers are dense.</summary>
    public Func<ConfigJson, int, MoeConfig?>? Moe { get; init; }

    /// <summary>Latent attention of a config.json with so many heads; null where keys and values are cached.</summary>
    public Func<ConfigJson, int, LatentConfig>? Latent { get; init; }

    /// <summary>Finds what a config.json asks for that is not supported; throws where it does.</summary>
    public Action<ConfigJson>? Reject { get; init; }

    /// <summary>Names of the weights in the checkpoint.</summary>
    public WeightNames Weights { get; init; } = new();
}
