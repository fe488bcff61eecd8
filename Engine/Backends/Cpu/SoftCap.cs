using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>x becomes cap × tanh(x / cap), which keeps it within ±cap.</summary>
internal static unsafe class SoftCap
{
    public static void Apply(float* values, int count, float cap)
    {
        var done = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            done = Apply<Simd512, Vector512<float>>(values, 0, count, cap);
        }

        done = Apply<Simd256, Vector256<float>>(values, done, count, cap);
        for (; done < count; done++)
        {
            values[done] = cap * MathF.Tanh(values[done] / cap);
        }
    }

    /// <summary>Whole vectors from <paramref name="start"/> on.</summary>
    /// <returns>Where it ended.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Apply<TSimd, TVector>(float* values, int start, int count, float cap)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var one = TSimd.Broadcast(1);
        var caps = TSimd.Broadcast(cap);
        var slope = TSimd.Broadcast(2 / cap);
        var minusTwo = TSimd.Broadcast(-2);
        var i = start;
        for (; i + TSimd.Lanes <= count; i += TSimd.Lanes)
        {
            // tanh(y) = 1 − 2 / (e^2y + 1): an exponential that overflows or vanishes gives ±1, as it should.
            var power = TSimd.Exp(TSimd.Multiply(slope, TSimd.Load(values + i)));
            var tanh = TSimd.Add(one, TSimd.Divide(minusTwo, TSimd.Add(power, one)));
            TSimd.Store(TSimd.Multiply(caps, tanh), values + i);
        }

        return i;
    }
}
