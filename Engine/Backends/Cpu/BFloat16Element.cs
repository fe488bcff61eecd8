using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

internal readonly unsafe struct BFloat16Element : IPackedElement
{
    public static int SizeBytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadBFloat16((ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadLow<TSimd, TVector>(byte* line)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadLowBFloat16((uint*)line);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadHigh<TSimd, TVector>(byte* line)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadHighBFloat16((uint*)line);

    public static float LoadOne(byte* source) => BitConverter.UInt32BitsToSingle((uint)*(ushort*)source << 16);

    /// <summary>Rounds to nearest, ties to even; NaN stays NaN.</summary>
    public static void StoreOne(float value, byte* destination)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        *(ushort*)destination = float.IsNaN(value)
            ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
