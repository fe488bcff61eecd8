using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>x × sigmoid(x).</summary>
internal readonly struct SiluFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct =>
        TSimd.Divide(x, TSimd.Add(TSimd.Broadcast(1), TSimd.Exp(TSimd.Multiply(TSimd.Broadcast(-1), x))));
}
