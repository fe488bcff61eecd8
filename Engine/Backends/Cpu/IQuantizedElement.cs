namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Integer codes in the lines of 64 bytes of a tile: for each of its sixteen outputs a lane of 32 bits with the codes of four or eight inputs.</summary>
/// <remarks>Input c of a line begins at the bit that <see cref="QuantizedWeights.CodeShift"/> says, so that a shift and a mask make pairs of
/// inputs, each code in 16 bits, and fours of them, each in 8.</remarks>
internal interface IQuantizedElement
{
    /// <summary>Fours of inputs in a line: 1 or 2.</summary>
    static abstract int LineFours { get; }

    /// <summary>What is added to a code in <see cref="Four"/>, so that none is negative.</summary>
    static abstract int FourOffset { get; }

    /// <summary>Two inputs of each output, in 16 bits.</summary>
    /// <param name="pair">Which two of the line, a constant in the callers.</param>
    static abstract TInteger Pair<TSimd, TVector, TInteger>(TInteger line, int pair)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct;

    /// <summary>Four inputs of each output, in unsigned bytes: the first, third, second and fourth.</summary>
    /// <param name="four">Which four of the line, a constant in the callers.</param>
    static abstract TInteger Four<TSimd, TVector, TInteger>(TInteger line, int four)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct;
}
