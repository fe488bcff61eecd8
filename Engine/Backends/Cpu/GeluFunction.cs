using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>x × Φ(x).</summary>
/// <remarks>Φ(−|x|) = erfc(|x| / √2) / 2 by Abramowitz and Stegun 7.1.26, off by less than 1e-7; then x Φ(x) = max(x, 0) − |x| Φ(−|x|) for either sign.</remarks>
internal readonly struct GeluFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var minusOne = TSimd.Broadcast(-1);
        var size = TSimd.Max(x, TSimd.Multiply(minusOne, x));
        var t = TSimd.Divide(TSimd.Broadcast(1), TSimd.MultiplyAdd(size, TSimd.Broadcast(0.3275911f * 0.70710678f), TSimd.Broadcast(1)));
        var sum = TSimd.MultiplyAdd(TSimd.Broadcast(1.061405429f), t, TSimd.Broadcast(-1.453152027f));
        sum = TSimd.MultiplyAdd(sum, t, TSimd.Broadcast(1.421413741f));
        sum = TSimd.MultiplyAdd(sum, t, TSimd.Broadcast(-0.284496736f));
        sum = TSimd.MultiplyAdd(sum, t, TSimd.Broadcast(0.254829592f));
        var tail = TSimd.Multiply(TSimd.Multiply(sum, t), TSimd.Exp(TSimd.Multiply(TSimd.Multiply(x, x), TSimd.Broadcast(-0.5f))));
        return TSimd.MultiplyAdd(TSimd.Multiply(size, TSimd.Broadcast(-0.5f)), tail, TSimd.Max(x, TSimd.Zero));
    }
}
