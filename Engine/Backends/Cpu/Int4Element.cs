using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Codes of four bits, 0 to 15.</summary>
internal readonly struct Int4Element : IQuantizedElement
{
    public static int LineFours => 2;

    public static int FourOffset => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Pair<TSimd, TVector, TInteger>(TInteger line, int pair)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct => pair switch
        {
            0 => TSimd.And(line, 0x000F000F),
            1 => TSimd.And(TSimd.ShiftRight(line, 8), 0x000F000F),
            2 => TSimd.And(TSimd.ShiftRight(line, 4), 0x000F000F),
            _ => TSimd.And(TSimd.ShiftRight(line, 12), 0x000F000F),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Four<TSimd, TVector, TInteger>(TInteger line, int four)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct => four == 0 ? TSimd.And(line, 0x0F0F0F0F) : TSimd.And(TSimd.ShiftRight(line, 4), 0x0F0F0F0F);
}
