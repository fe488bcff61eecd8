namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A vector width with integers: products of 16-bit and of 8-bit numbers, added in pairs.</summary>
/// <typeparam name="TVector">Vector of floats.</typeparam>
/// <typeparam name="TInteger">Vector of as many integers of 32 bits, or more of fewer bits.</typeparam>
internal unsafe interface IIntegerSimd<TVector, TInteger> : ISimd<TVector>
    where TVector : struct
    where TInteger : struct
{
    static abstract TInteger LoadBits(byte* source);

    static abstract TInteger BroadcastBits(int value);

    static abstract TInteger And(TInteger value, int mask);

    static abstract TInteger Xor(TInteger value, int mask);

    /// <summary>Each 32 bits, filled up with zeros.</summary>
    static abstract TInteger ShiftRight(TInteger value, int count);

    static abstract TInteger ShiftLeft(TInteger value, int count);

    /// <summary>The lower byte of each 16 bits with its sign.</summary>
    static abstract TInteger LowBytes(TInteger value);

    /// <summary>The upper byte of each 16 bits with its sign.</summary>
    static abstract TInteger HighBytes(TInteger value);

    static abstract TInteger AddIntegers(TInteger a, TInteger b);

    /// <summary>sum + a₀ × b₀ + a₁ × b₁ of signed 16 bits in each 32 bits: pmaddwd.</summary>
    static abstract TInteger AddPairProducts(TInteger sum, TInteger a, TInteger b);

    /// <summary>sum + a₀ × b₀ + a₁ × b₁ of unsigned bytes with signed ones in each 16 bits: pmaddubsw. Neither may leave 16 bits.</summary>
    static abstract TInteger AddByteProducts(TInteger sum, TInteger a, TInteger b);

    static abstract TVector ToFloat(TInteger value);
}
