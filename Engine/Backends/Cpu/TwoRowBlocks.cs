using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Two blocks of activation rows, one after the other.</summary>
internal unsafe struct TwoRowBlocks<TRows, TSimd, TVector, TInteger> : IRowBlock<TVector, TInteger>
    where TRows : struct, IRowBlock<TVector, TInteger>
    where TSimd : struct, IIntegerSimd<TVector, TInteger>
    where TVector : struct
    where TInteger : struct
{
#pragma warning disable CS0649, IDE0044 // Their own methods write them.
    private TRows _upper;
    private TRows _lower;
#pragma warning restore CS0649, IDE0044

    public static int Rows => 2 * TRows.Rows;

    public static bool IsPrecise => TRows.IsPrecise;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddHigh(TInteger first, TInteger second, byte* x, nint rowBytes)
    {
        _upper.AddHigh(first, second, x, rowBytes);
        _lower.AddHigh(first, second, x + (TRows.Rows * rowBytes), rowBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddLow(TInteger first, TInteger second, sbyte* x, nint rowBytes)
    {
        _upper.AddLow(first, second, x, rowBytes);
        _lower.AddLow(first, second, x + (TRows.Rows * rowBytes), rowBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void AddTo(in UnitScales<TVector> scales, UnitFactors* factors, nint rowBytes, int fourOffset, float* sums)
    {
        _upper.AddTo(scales, factors, rowBytes, fourOffset, sums);
        _lower.AddTo(scales, (UnitFactors*)((byte*)factors + (TRows.Rows * rowBytes)), rowBytes, fourOffset, sums + (TRows.Rows * 2 * TSimd.Lanes));
    }
}
