namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>What one number of a quantised matrix is stored as.</summary>
internal enum QuantizedCode
{
    /// <summary>0 to 15.</summary>
    Int4,

    /// <summary>-128 to 127.</summary>
    Int8,

    /// <summary>OCP 8-bit float, 4 bits of exponent and 3 of mantissa, without infinities.</summary>
    Fp8,

    /// <summary>OCP 4-bit float, 2 bits of exponent and 1 of mantissa: <see cref="Float4"/>.</summary>
    Fp4,
}
