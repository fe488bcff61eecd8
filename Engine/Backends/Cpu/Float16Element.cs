using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

internal readonly unsafe struct Float16Element : IPackedElement
{
    public static int SizeBytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadFloat16((ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadLow<TSimd, TVector>(byte* line)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadLowFloat16((uint*)line);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadHigh<TSimd, TVector>(byte* line)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadHighFloat16((uint*)line);

    public static float LoadOne(byte* source) => (float)*(Half*)source;

    /// <summary>Values beyond the range of a half are clamped: the vector load above knows no infinity. NaN becomes the largest value with the load; the logits' own check finds it at its source.</summary>
    public static void StoreOne(float value, byte* destination) => *(Half*)destination = (Half)Math.Clamp(value, -65504f, 65504f);
}
