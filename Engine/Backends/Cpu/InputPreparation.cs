using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>What is done to a linear layer's input before weights of a quantised format multiply it.</summary>
/// <param name="order">Position to input; null is the natural order.</param>
/// <param name="activations">How numbers are rounded, before they are put in order; null leaves them.</param>
/// <param name="integerBits">At last they become a <see cref="RoundedInput"/> of 16 or 20 bits; 0 leaves them.</param>
internal sealed class InputPreparation(int[]? order, ActivationQuantization? activations, int integerBits)
{
    /// <summary>For weights that a checkpoint gives exactly: rounding their input to 16 bits moves small models' logits by up to 0.0015.</summary>
    public const int PreciseBits = 20;

    /// <summary>For weights that are rounded to 4 or 8 bits here, which loses far more.</summary>
    public const int FastBits = 16;

    public int[]? Order { get; } = order;

    public ActivationQuantization? Activations { get; } = activations;

    public int IntegerBits { get; } = integerBits;

    public bool IsInteger => IntegerBits != 0;

    /// <summary>Numbers change before they become integers, or without that.</summary>
    public bool ChangesFloats => Order is not null || Activations is not null;

    public bool IsNeeded => ChangesFloats || IsInteger;

    public bool IsSameAs(InputPreparation? other) =>
        other is not null && IntegerBits == other.IntegerBits && Activations == other.Activations && (Order is null ? other.Order is null : other.Order is not null && Order.AsSpan().SequenceEqual(other.Order));
}
