namespace Fastgen.Engine.Backends.Cpu;

/// <summary>The sums of some activation rows with two vectors of outputs over a unit of inputs, in registers.</summary>
/// <remarks>Blocks are built of smaller ones, so that every number of rows is the same code; the compiler keeps each field in a register.</remarks>
internal unsafe interface IRowBlock<TVector, TInteger>
    where TVector : struct
    where TInteger : struct
{
    static abstract int Rows { get; }

    /// <summary>Low parts of activations are multiplied too.</summary>
    static abstract bool IsPrecise { get; }

    /// <summary>Adds the products of a pair of inputs.</summary>
    /// <param name="first">The pair's codes for the first vector of outputs.</param>
    /// <param name="second">Likewise for the second.</param>
    /// <param name="x">The pair in the first activation row.</param>
    /// <param name="rowBytes">Bytes from one activation row to the next.</param>
    void AddHigh(TInteger first, TInteger second, byte* x, nint rowBytes);

    /// <summary>Adds the products of four inputs' unsigned codes with the low parts of activations.</summary>
    void AddLow(TInteger first, TInteger second, sbyte* x, nint rowBytes);

    /// <summary>Adds the unit to fp32 sums: (sum of codes × activations − zero × sum of activations) × scale × scale of activations.</summary>
    /// <param name="factors">The unit's factors of the first activation row.</param>
    /// <param name="fourOffset"><see cref="IQuantizedElement.FourOffset"/>, a constant in the callers.</param>
    /// <param name="sums">[rows, two vectors]</param>
    void AddTo(in UnitScales<TVector> scales, UnitFactors* factors, nint rowBytes, int fourOffset, float* sums);
}
