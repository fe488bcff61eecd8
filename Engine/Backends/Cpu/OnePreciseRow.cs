using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Sums of one activation row of 20 bits.</summary>
internal unsafe struct OnePreciseRow<TSimd, TVector, TInteger> : IRowBlock<TVector, TInteger>
    where TSimd : struct, IIntegerSimd<TVector, TInteger>
    where TVector : struct
    where TInteger : struct
{
    private TInteger _first;
    private TInteger _second;
    private TInteger _firstLow;
    private TInteger _secondLow;

    public static int Rows => 1;

    public static bool IsPrecise => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddHigh(TInteger first, TInteger second, byte* x, nint rowBytes)
    {
        var pair = TSimd.BroadcastBits(*(int*)x);
        _first = TSimd.AddPairProducts(_first, first, pair);
        _second = TSimd.AddPairProducts(_second, second, pair);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddLow(TInteger first, TInteger second, sbyte* x, nint rowBytes)
    {
        var four = TSimd.BroadcastBits(*(int*)x);
        _firstLow = TSimd.AddByteProducts(_firstLow, first, four);
        _secondLow = TSimd.AddByteProducts(_secondLow, second, four);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AddTo(in UnitScales<TVector> scales, UnitFactors* factors, nint rowBytes, int fourOffset, float* sums)
    {
        var ones = TSimd.BroadcastBits(0x00010001);
        var first = TSimd.AddPairProducts(TSimd.ShiftLeft(_first, RoundedInput.LowBits), _firstLow, ones);
        var second = TSimd.AddPairProducts(TSimd.ShiftLeft(_second, RoundedInput.LowBits), _secondLow, ones);
        if (fourOffset != 0)
        {
            var offset = TSimd.BroadcastBits(factors->MinusLowSum * fourOffset);
            first = TSimd.AddIntegers(first, offset);
            second = TSimd.AddIntegers(second, offset);
        }

        OneRow<TSimd, TVector, TInteger>.Add(first, second, scales, factors, sums);
    }
}
