using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends;

/// <summary>The mixture of experts of one layer.</summary>
internal sealed record MoeWeights : IDisposable
{
    public required ExpertRouting Routing { get; init; }

    /// <summary>[experts, hidden] with its bias where it has one.</summary>
    public required LinearWeight Router { get; init; }

    /// <summary>[1, experts] added to the scores to choose experts, not to weigh them; null adds nothing.</summary>
    public DeviceTensor? ChoiceBias { get; init; }

    /// <summary>[experts] all of one shape.</summary>
    public required IReadOnlyList<ExpertWeights> Experts { get; init; }

    /// <summary>The expert that every token goes to with weight 1; null where there is none.</summary>
    public ExpertWeights? Shared { get; init; }

    /// <summary>Function on the gate, where <see cref="Clamp"/> is null.</summary>
    public Activation Activation { get; init; }

    /// <summary>Takes the place of <see cref="Activation"/>; null leaves it.</summary>
    public ClampedGate? Clamp { get; init; }

    /// <summary>Bytes that a step of one token reads.</summary>
    public long BytesPerToken => Router.ByteCount + (Experts[0].ByteCount * Routing.ChosenCount) + (Shared?.ByteCount ?? 0);

    public void Dispose()
    {
        Router.Dispose();
        ChoiceBias?.Dispose();
        Shared?.Dispose();
        foreach (var expert in Experts)
        {
            expert.Dispose();
        }
    }
}
