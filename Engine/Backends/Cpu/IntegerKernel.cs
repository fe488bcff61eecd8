using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Products of <see cref="RoundedInput"/> with integer codes: 16 bits in pairs (pmaddwd), low parts in fours of bytes (pmaddubsw), 32-bit sums over a unit, one fp32 multiply-add for each unit.</summary>
/// <remarks>Sums over a unit are exact, and units are added first to last in each output's own lane: a result's bits depend neither on
/// the number of rows, nor on how rows and inputs are cut into blocks, nor on the width of vectors.</remarks>
internal static unsafe class IntegerKernel
{
    /// <summary>Outputs of a tile: a line of 64 bytes has 32 bits for each.</summary>
    public const int TileOutputs = 16;

    /// <summary>Bytes from a line of codes to the next.</summary>
    public const int LineBytes = TileOutputs * sizeof(int);

    /// <summary>Bytes that prefetching runs ahead, as in <see cref="PackedKernel"/>.</summary>
    private const int PrefetchBytes = 4 << 10;

    /// <summary>Adds to sums[r] the products of activation row r with a block of weights.</summary>
    /// <param name="row">First of the activation rows.</param>
    /// <param name="rows">How many.</param>
    /// <param name="unit">The block's first unit.</param>
    /// <param name="sums">[rows, two vectors]</param>
    public static void AddBlock<TSimd, TVector, TInteger, TElement, TScale>(in IntegerBlock block, in RoundedInput input, int row, int rows, int unit, float* sums)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
        where TElement : struct, IQuantizedElement
        where TScale : struct, IElement
    {
        if (input.IsPrecise)
        {
            AddRows<OnePreciseRow<TSimd, TVector, TInteger>, TSimd, TVector, TInteger, TElement, TScale>(block, input, row, rows, unit, sums);
        }
        else
        {
            AddRows<OneRow<TSimd, TVector, TInteger>, TSimd, TVector, TInteger, TElement, TScale>(block, input, row, rows, unit, sums);
        }
    }

    private static void AddRows<TOne, TSimd, TVector, TInteger, TElement, TScale>(in IntegerBlock block, in RoundedInput input, int row, int rows, int unit, float* sums)
        where TOne : struct, IRowBlock<TVector, TInteger>
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
        where TElement : struct, IQuantizedElement
        where TScale : struct, IElement
    {
        var end = row + rows;

        // Eight rows are sixteen sums, and with low parts four are; vectors of 256 bits have only sixteen registers.
        if (TSimd.Lanes == 16 && !TOne.IsPrecise)
        {
            Add<TwoRowBlocks<TwoRowBlocks<TwoRowBlocks<TOne, TSimd, TVector, TInteger>, TSimd, TVector, TInteger>, TSimd, TVector, TInteger>, TSimd, TVector, TInteger, TElement, TScale>(block, input, ref row, end, unit, ref sums);
        }

        if (TSimd.Lanes == 16 || !TOne.IsPrecise)
        {
            Add<TwoRowBlocks<TwoRowBlocks<TOne, TSimd, TVector, TInteger>, TSimd, TVector, TInteger>, TSimd, TVector, TInteger, TElement, TScale>(block, input, ref row, end, unit, ref sums);
        }

        Add<TwoRowBlocks<TOne, TSimd, TVector, TInteger>, TSimd, TVector, TInteger, TElement, TScale>(block, input, ref row, end, unit, ref sums);
        Add<TOne, TSimd, TVector, TInteger, TElement, TScale>(block, input, ref row, end, unit, ref sums);
    }

    /// <summary>Takes as many rows as are whole blocks, and moves past them.</summary>
    private static void Add<TRows, TSimd, TVector, TInteger, TElement, TScale>(in IntegerBlock block, in RoundedInput input, ref int row, int end, int unit, ref float* sums)
        where TRows : struct, IRowBlock<TVector, TInteger>
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
        where TElement : struct, IQuantizedElement
        where TScale : struct, IElement
    {
        for (; row + TRows.Rows <= end; row += TRows.Rows)
        {
            AddUnits<TRows, TSimd, TVector, TInteger, TElement, TScale>(block, input, row, unit, sums);
            sums += TRows.Rows * 2 * TSimd.Lanes;
        }
    }

    /// <remarks>Kept apart: inside a caller the compiler's budget for inlining ends before all of a block's methods are in, and it is four times slower.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddUnits<TRows, TSimd, TVector, TInteger, TElement, TScale>(in IntegerBlock block, in RoundedInput input, int row, int unit, float* sums)
        where TRows : struct, IRowBlock<TVector, TInteger>
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
        where TElement : struct, IQuantizedElement
        where TScale : struct, IElement
    {
        const int FourInputs = 4;
        var rowBytes = input.RowBytes;
        var high = input.High(row) + (unit * QuantizedWeights.UnitInputs * sizeof(short));
        var low = input.Low(row) + (unit * QuantizedWeights.UnitInputs);
        var factors = input.Factors(row) + unit;
        var first = block.First;
        var second = block.Second;
        var firstScales = block.FirstScales;
        var secondScales = block.SecondScales;
        var firstZeros = block.FirstZeros;
        var secondZeros = block.SecondZeros;
        var scales = new UnitScales<TVector>
        {
            FirstZero = TSimd.Broadcast(block.DefaultZero),
            SecondZero = TSimd.Broadcast(block.DefaultZero),
            HasZeros = firstZeros is not null || block.DefaultZero != 0,
        };
        var units = block.Units;
        var groupEnd = block.UnitsToGroupEnd;
        for (var done = 0; done < units;)
        {
            scales.First = TScale.Load<TSimd, TVector>(firstScales);
            scales.Second = TScale.Load<TSimd, TVector>(secondScales);
            firstScales += TileOutputs * TScale.SizeBytes;
            secondScales += TileOutputs * TScale.SizeBytes;
            if (firstZeros is not null)
            {
                scales.FirstZero = TSimd.LoadInt8(firstZeros);
                scales.SecondZero = TSimd.LoadInt8(secondZeros);
                firstZeros += TileOutputs;
                secondZeros += TileOutputs;
            }

            for (var end = Math.Min(groupEnd, units); done < end; done++)
            {
                TRows rows = default;
                for (var input4 = 0; input4 < QuantizedWeights.UnitInputs; input4 += TElement.LineFours * FourInputs)
                {
                    Prefetch<TSimd, TVector>(first, second);
                    var firstLine = TSimd.LoadBits(first);
                    var secondLine = TSimd.LoadBits(second);
                    AddFour<TRows, TSimd, TVector, TInteger, TElement>(ref rows, firstLine, secondLine, 0, high, low, rowBytes);
                    if (TElement.LineFours > 1)
                    {
                        AddFour<TRows, TSimd, TVector, TInteger, TElement>(ref rows, firstLine, secondLine, 1, high + (FourInputs * sizeof(short)), low + FourInputs, rowBytes);
                    }

                    first += LineBytes;
                    second += LineBytes;
                    high += TElement.LineFours * FourInputs * sizeof(short);
                    low += TElement.LineFours * FourInputs;
                }

                rows.AddTo(scales, factors, rowBytes, TElement.FourOffset, sums);
                factors++;
            }

            groupEnd += block.GroupUnits;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddFour<TRows, TSimd, TVector, TInteger, TElement>(ref TRows rows, TInteger first, TInteger second, int four, byte* high, sbyte* low, nint rowBytes)
        where TRows : struct, IRowBlock<TVector, TInteger>
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
        where TElement : struct, IQuantizedElement
    {
        rows.AddHigh(TElement.Pair<TSimd, TVector, TInteger>(first, 2 * four), TElement.Pair<TSimd, TVector, TInteger>(second, 2 * four), high, rowBytes);
        rows.AddHigh(TElement.Pair<TSimd, TVector, TInteger>(first, (2 * four) + 1), TElement.Pair<TSimd, TVector, TInteger>(second, (2 * four) + 1), high + (2 * sizeof(short)), rowBytes);
        if (TRows.IsPrecise)
        {
            rows.AddLow(TElement.Four<TSimd, TVector, TInteger>(first, four), TElement.Four<TSimd, TVector, TInteger>(second, four), low, rowBytes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch<TSimd, TVector>(byte* first, byte* second)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(first + PrefetchBytes);
            if (TSimd.Lanes == TileOutputs)
            {
                Sse.Prefetch0(second + PrefetchBytes);
            }
        }
    }
}
