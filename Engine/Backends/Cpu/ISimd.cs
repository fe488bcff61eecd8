using System.Runtime.Intrinsics;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>A vector width: kernels are written once and compiled for 512 and for 256 bits.</summary>
/// <typeparam name="TVector">Vector of floats.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Floats of a vector.</summary>
    static abstract int Lanes { get; }

    static abstract TVector Zero { get; }

    static abstract TVector Broadcast(float value);

    static abstract TVector Load(float* source);

    static abstract TVector LoadBFloat16(ushort* source);

    static abstract TVector LoadFloat16(ushort* source);

    /// <summary>Lower halves of 32-bit lanes; likewise the others.</summary>
    static abstract TVector LoadLowBFloat16(uint* source);

    static abstract TVector LoadHighBFloat16(uint* source);

    static abstract TVector LoadLowFloat16(uint* source);

    static abstract TVector LoadHighFloat16(uint* source);

    /// <summary>One signed byte a lane.</summary>
    static abstract TVector LoadInt8(sbyte* source);

    /// <summary>One e4m3 byte a lane; NaN is not known.</summary>
    static abstract TVector LoadFloat8(byte* source);

    /// <summary>What <see cref="LoadLowFloat4"/> and <see cref="LoadHighFloat4"/> want to have computed once for many codes.</summary>
    static abstract TVector Float4Table(TVector scale);

    /// <summary>e2m1 × scale of the lower halves of one byte a lane.</summary>
    static abstract TVector LoadLowFloat4(byte* source, TVector table);

    /// <summary>Likewise of the upper halves.</summary>
    static abstract TVector LoadHighFloat4(byte* source, TVector table);

    static abstract void Store(TVector value, float* destination);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>a × b + c, rounded once.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    static abstract TVector Exp(TVector a);

    static abstract TVector Max(TVector a, TVector b);

    static abstract float Sum(TVector a);

    static abstract float MaxAcross(TVector a);

    /// <summary>Sums of the four vectors' lanes, always in the same order of additions.</summary>
    static abstract Vector128<float> Sum4(TVector a, TVector b, TVector c, TVector d);
}
