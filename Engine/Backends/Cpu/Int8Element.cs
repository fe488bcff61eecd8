using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Signed bytes.</summary>
internal readonly struct Int8Element : IQuantizedElement
{
    public static int LineFours => 1;

    public static int FourOffset => 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Pair<TSimd, TVector, TInteger>(TInteger line, int pair)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct => pair == 0 ? TSimd.LowBytes(line) : TSimd.HighBytes(line);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TInteger Four<TSimd, TVector, TInteger>(TInteger line, int four)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct => TSimd.Xor(line, unchecked((int)0x80808080));
}
