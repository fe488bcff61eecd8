using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>The tanh form of GELU, as x × sigmoid(√(8/π) (x + 0.044715 x³)): (1 + tanh(z / 2)) / 2 is sigmoid(z).</summary>
/// <remarks>Hendrycks and Gimpel 2016.</remarks>
internal readonly struct GeluTanhFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var inner = TSimd.MultiplyAdd(TSimd.Multiply(TSimd.Multiply(x, x), x), TSimd.Broadcast(0.044715f), x);
        return TSimd.Divide(x, TSimd.Add(TSimd.Broadcast(1), TSimd.Exp(TSimd.Multiply(TSimd.Broadcast(-1.5957691216f), inner))));
    }
}
