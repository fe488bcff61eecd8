using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

internal readonly unsafe struct Float32Element : IElement
{
    public static int SizeBytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Load((float*)source);

    public static float LoadOne(byte* source) => *(float*)source;

    public static void StoreOne(float value, byte* destination) => *(float*)destination = value;
}
