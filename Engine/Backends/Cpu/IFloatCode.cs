namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Codes that are small floats, as a tile of <see cref="QuantizedWeights"/> holds them: units of 32 inputs, one row after the other.</summary>
internal unsafe interface IFloatCode
{
    /// <summary>Bytes of one row's part of a unit.</summary>
    static abstract int UnitBytes { get; }

    /// <summary>What <see cref="Load"/> wants to have computed once for all codes of a scale.</summary>
    static abstract TVector Table<TSimd, TVector>(TVector scale)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    /// <summary>A vector of values times the scale.</summary>
    /// <param name="unit">A row's part of a unit.</param>
    /// <param name="input">First input of the vector in the unit.</param>
    /// <param name="table">Of <see cref="Table"/>.</param>
    static abstract TVector Load<TSimd, TVector>(byte* unit, int input, TVector table)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}
