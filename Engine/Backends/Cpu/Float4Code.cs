using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>e2m1 halves of bytes: the lower halves are the first sixteen inputs of a unit, the upper halves the others.</summary>
internal readonly unsafe struct Float4Code : IFloatCode
{
    public static int UnitBytes => QuantizedWeights.UnitInputs / 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Table<TSimd, TVector>(TVector scale)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Float4Table(scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* unit, int input, TVector table)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => input < UnitBytes ? TSimd.LoadLowFloat4(unit + input, table) : TSimd.LoadHighFloat4(unit + input - UnitBytes, table);
}
