using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Sums of one activation row of 16 bits.</summary>
internal unsafe struct OneRow<TSimd, TVector, TInteger> : IRowBlock<TVector, TInteger>
    where TSimd : struct, IIntegerSimd<TVector, TInteger>
    where TVector : struct
    where TInteger : struct
{
    private TInteger _first;
    private TInteger _second;

    public static int Rows => 1;

    public static bool IsPrecise => false;

    /// <summary>Adds a unit's integer sums to fp32 sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(TInteger firstSum, TInteger secondSum, in UnitScales<TVector> scales, UnitFactors* factors, float* sums)
    {
        var (first, second) = (TSimd.ToFloat(firstSum), TSimd.ToFloat(secondSum));
        if (scales.HasZeros)
        {
            var minusSum = TSimd.Broadcast(factors->MinusSum);
            first = TSimd.MultiplyAdd(scales.FirstZero, minusSum, first);
            second = TSimd.MultiplyAdd(scales.SecondZero, minusSum, second);
        }

        var scale = TSimd.Broadcast(factors->Scale);
        TSimd.Store(TSimd.MultiplyAdd(TSimd.Multiply(first, scales.First), scale, TSimd.Load(sums)), sums);
        TSimd.Store(TSimd.MultiplyAdd(TSimd.Multiply(second, scales.Second), scale, TSimd.Load(sums + TSimd.Lanes)), sums + TSimd.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddHigh(TInteger first, TInteger second, byte* x, nint rowBytes)
    {
        var pair = TSimd.BroadcastBits(*(int*)x);
        _first = TSimd.AddPairProducts(_first, first, pair);
        _second = TSimd.AddPairProducts(_second, second, pair);
    }

    public readonly void AddLow(TInteger first, TInteger second, sbyte* x, nint rowBytes)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AddTo(in UnitScales<TVector> scales, UnitFactors* factors, nint rowBytes, int fourOffset, float* sums) =>
        Add(_first, _second, scales, factors, sums);
}
