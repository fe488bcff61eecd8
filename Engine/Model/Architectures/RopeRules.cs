namespace Fastgen.Engine.Model.Architectures;

/// <summary>Which rotary embeddings an architecture can have, and how its config.json spells them.</summary>
internal sealed record RopeRules
{
    /// <summary>Types that may be asked for.</summary>
    public IReadOnlyList<RopeType> Types { get; init; } = [RopeType.Default, RopeType.Linear, RopeType.Dynamic, RopeType.Yarn, RopeType.LongRope, RopeType.Llama3];

    /// <summary>Further names of longrope.</summary>
    public IReadOnlyList<string> LongRopeNames { get; init; } = [];

    /// <summary>Only the first part of a head may turn (config.json <c>partial_rotary_factor</c>).</summary>
    public bool PartialRotation { get; init; }

    /// <summary>Queries grow with their position (config.json <c>llama_4_scaling_beta</c>).</summary>
    public bool QueryScaling { get; init; }

    /// <summary>Windowed layers have parameters of their own.</summary>
    public bool ByLayerType { get; init; }

    /// <summary>Base of the frequencies of windowed layers, where they have their own.</summary>
    public double LocalTheta { get; init; } = 10_000;

    /// <summary>Context before extension where config.json has no such key; null takes max_position_embeddings.</summary>
    public int? OriginalMaxPositions { get; init; }

    /// <summary>What a config.json without any rope parameters means; null turns all plainly.</summary>
    public RopeConfig? Absent { get; init; }
}
