namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>How a format rounds what goes into a linear layer (W8A8). Applied only where the engine is asked for it.</summary>
internal sealed record ActivationQuantization
{
    /// <summary><see cref="QuantizedCode.Int8"/> or <see cref="QuantizedCode.Fp8"/>.</summary>
    public required QuantizedCode Code { get; init; }

    /// <summary>Scale given by the checkpoint; null measures it anew for each token or group.</summary>
    public float? Scale { get; init; }

    /// <summary>Integer that stands for 0, where <see cref="Scale"/> is given.</summary>
    public int Zero { get; init; }

    /// <summary>Measured ranges lie evenly around 0.</summary>
    public bool IsSymmetric { get; init; } = true;

    /// <summary>Columns that share a measured scale; 0 is the whole token.</summary>
    public int GroupColumns { get; init; }
}
