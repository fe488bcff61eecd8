using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model;

/// <summary>The mixture of experts of a model, the same in every layer that has one.</summary>
internal sealed record MoeConfig
{
    public required ExpertRouting Routing { get; init; }

    /// <summary>Width of an expert.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Width of the expert that every token goes to; 0 where there is none.</summary>
    public int SharedIntermediateSize { get; init; }

    /// <summary>[layers] which have experts in place of one dense part.</summary>
    public required IReadOnlyList<bool> Layers { get; init; }

    /// <summary>The gated activation of gpt-oss; null takes the model's.</summary>
    public ClampedGate? Clamp { get; init; }

    /// <summary>The router and the experts add biases.</summary>
    public bool HasBias { get; init; }

    /// <summary>The checkpoint holds a bias that chooses experts.</summary>
    public bool HasChoiceBias { get; init; }
}
