namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A stored type of two bytes, of which <see cref="PackedWeights"/> puts two values into each 32-bit lane.</summary>
internal unsafe interface IPackedElement : IElement
{
    /// <summary>Widens the lower halves of a line's lanes.</summary>
    static abstract TVector LoadLow<TSimd, TVector>(byte* line)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    /// <summary>Widens the upper halves of a line's lanes.</summary>
    static abstract TVector LoadHigh<TSimd, TVector>(byte* line)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}
