using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>e4m3, a byte each.</summary>
internal readonly unsafe struct Float8Code : IFloatCode
{
    public static int UnitBytes => QuantizedWeights.UnitInputs;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Table<TSimd, TVector>(TVector scale)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* unit, int input, TVector table)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Multiply(TSimd.LoadFloat8(unit + input), table);
}
