using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Products with a tile of <see cref="QuantizedWeights"/> of small floats: codes become fp32 in registers, exactly the values that the checkpoint's format defines.</summary>
/// <remarks>Adds in the order of <see cref="LinearKernel"/>, so that many rows over a widened panel give the same bits. Widening a tile
/// into the first-level cache for 2 to 16 rows instead was measured two to three times slower.</remarks>
internal static unsafe class FloatCodeKernel
{
    /// <summary>Scales of a tile's block: at most one for each unit and row, one group more at the ends, and a vector read beyond.</summary>
    public const int ScaleRoom = ((LinearKernel.BlockInputs / QuantizedWeights.UnitInputs) + 2) * LinearKernel.TileOutputs + 16;

    /// <summary>Bytes that prefetching runs ahead, as in <see cref="PackedKernel"/>.</summary>
    private const int PrefetchBytes = 4 << 10;

    /// <summary>Widens the scales of the groups that a block touches.</summary>
    /// <param name="tile">First byte of the tile.</param>
    /// <param name="first">First input of the block.</param>
    /// <param name="inputs">Inputs of the block.</param>
    /// <param name="scales">[groups, 4], with <see cref="ScaleRoom"/> floats.</param>
    public static void LoadScales<TSimd, TVector, TScale>(QuantizedLayout layout, byte* tile, int first, int inputs, float* scales)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TScale : struct, IElement
    {
        var firstGroup = first / layout.GroupInputs;
        var count = (((first + inputs - 1) / layout.GroupInputs) - firstGroup + 1) * LinearKernel.TileOutputs;
        var source = tile + ((nint)firstGroup * LinearKernel.TileOutputs * TScale.SizeBytes);
        for (var i = 0; i < count; i += TSimd.Lanes)
        {
            TSimd.Store(TScale.Load<TSimd, TVector>(source + ((nint)i * TScale.SizeBytes)), scales + i);
        }
    }

    /// <summary>Adds to sums[r] the products of activation row r with a tile's four weight rows over a block of inputs.</summary>
    /// <param name="line">The tile's codes at the block's first input.</param>
    /// <param name="x">First activation row at the block's first input.</param>
    /// <param name="xStride">Floats from one activation row to the next.</param>
    /// <param name="rows">Activation rows, at least 1.</param>
    /// <param name="inputs">Inputs of the block, a multiple of <see cref="QuantizedWeights.UnitInputs"/>.</param>
    /// <param name="groupEnd">Inputs of the block until its first group ends.</param>
    /// <param name="groupInputs">Inputs of every other group.</param>
    /// <param name="scales">As <see cref="LoadScales"/> leaves them.</param>
    /// <param name="sums">[rows, 4]</param>
    public static void AddBlock<TSimd, TVector, TCode>(byte* line, float* x, nint xStride, int rows, int inputs, int groupEnd, int groupInputs, float* scales, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TCode : struct, IFloatCode
    {
        var row = 0;
        if (TSimd.Lanes == 16)
        {
            for (; row + 4 <= rows; row += 4)
            {
                Add<TwoTileRows<TwoTileRows<OneTileRow<TSimd, TVector>, TVector>, TVector>, TSimd, TVector, TCode>(line, x + (row * xStride), xStride, inputs, groupEnd, groupInputs, scales, sums + (row * LinearKernel.TileOutputs));
            }
        }

        for (; row + 2 <= rows; row += 2)
        {
            Add<TwoTileRows<OneTileRow<TSimd, TVector>, TVector>, TSimd, TVector, TCode>(line, x + (row * xStride), xStride, inputs, groupEnd, groupInputs, scales, sums + (row * LinearKernel.TileOutputs));
        }

        if (row < rows)
        {
            Add<OneTileRow<TSimd, TVector>, TSimd, TVector, TCode>(line, x + (row * xStride), xStride, inputs, groupEnd, groupInputs, scales, sums + (row * LinearKernel.TileOutputs));
        }
    }

    /// <summary>Widens a block of a tile to plain rows; parameters as in <see cref="AddBlock"/>.</summary>
    /// <param name="destination">Four rows, <see cref="LinearKernel.BlockInputs"/> floats from one to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen<TSimd, TVector, TCode>(byte* line, int inputs, int groupEnd, int groupInputs, float* scales, float* destination)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TCode : struct, IFloatCode
    {
        for (var row = 0; row < LinearKernel.TileOutputs; row++)
        {
            var source = line + (row * TCode.UnitBytes);
            var target = destination + (row * LinearKernel.BlockInputs);
            var scale = scales + row;
            var until = groupEnd;
            for (var k = 0; k < inputs;)
            {
                var table = TCode.Table<TSimd, TVector>(TSimd.Broadcast(*scale));
                for (var end = Math.Min(until, inputs); k < end; k += QuantizedWeights.UnitInputs)
                {
                    for (var i = 0; i < QuantizedWeights.UnitInputs; i += TSimd.Lanes)
                    {
                        TSimd.Store(TCode.Load<TSimd, TVector>(source, i, table), target + k + i);
                    }

                    source += LinearKernel.TileOutputs * TCode.UnitBytes;
                }

                until += groupInputs;
                scale += LinearKernel.TileOutputs;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* line)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(line + PrefetchBytes);
            Sse.Prefetch0(line + PrefetchBytes + 64);
        }
    }

    /// <remarks>Kept apart, as in <see cref="IntegerKernel"/>.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Add<TRows, TSimd, TVector, TCode>(byte* line, float* x, nint xStride, int inputs, int groupEnd, int groupInputs, float* scales, float* sums)
        where TRows : struct, ITileRows<TVector>
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TCode : struct, IFloatCode
    {
        TRows rows = default;
        for (var k = 0; k < inputs;)
        {
            var t0 = TCode.Table<TSimd, TVector>(TSimd.Broadcast(scales[0]));
            var t1 = TCode.Table<TSimd, TVector>(TSimd.Broadcast(scales[1]));
            var t2 = TCode.Table<TSimd, TVector>(TSimd.Broadcast(scales[2]));
            var t3 = TCode.Table<TSimd, TVector>(TSimd.Broadcast(scales[3]));
            for (var end = Math.Min(groupEnd, inputs); k < end; k += QuantizedWeights.UnitInputs)
            {
                Prefetch(line);
                for (var i = 0; i < QuantizedWeights.UnitInputs; i += TSimd.Lanes)
                {
                    var w0 = TCode.Load<TSimd, TVector>(line, i, t0);
                    var w1 = TCode.Load<TSimd, TVector>(line + TCode.UnitBytes, i, t1);
                    var w2 = TCode.Load<TSimd, TVector>(line + (2 * TCode.UnitBytes), i, t2);
                    var w3 = TCode.Load<TSimd, TVector>(line + (3 * TCode.UnitBytes), i, t3);
                    rows.AddProducts(w0, w1, w2, w3, x + k + i, xStride);
                }

                line += LinearKernel.TileOutputs * TCode.UnitBytes;
            }

            groupEnd += groupInputs;
            scales += LinearKernel.TileOutputs;
        }

        rows.AddTo(sums);
    }
}
