using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Products of activation rows with a tile of <see cref="PackedWeights"/>, which is one stream of memory.</summary>
/// <remarks>Adds in the order of <see cref="LinearKernel"/>: both layouts give the same bits.</remarks>
internal static unsafe class PackedKernel
{
    /// <summary>Bytes that prefetching runs ahead: the processor's own stops at the end of a page of 4 KiB.</summary>
    private const int PrefetchBytes = 4 << 10;

    /// <summary>Asks for the first lines of a stream, all at once: the kernels ask for what lies further ahead.</summary>
    /// <param name="line">First byte of the stream.</param>
    public static void Begin(byte* line)
    {
        if (Sse.IsSupported)
        {
            for (var i = 0; i < PrefetchBytes; i += 64)
            {
                Sse.Prefetch0(line + i);
            }
        }
    }

    /// <summary>Adds to sums[r] the products of activation row r with a tile's four weight rows over a block of inputs.</summary>
    /// <param name="line">The tile's line of weight row 0 at the block's first input.</param>
    /// <param name="x">First activation row at the block's first input.</param>
    /// <param name="xStride">Floats from one activation row to the next.</param>
    /// <param name="rows">Activation rows, at least 1.</param>
    /// <param name="inputs">Inputs of the block, a multiple of <see cref="PackedWeights.GroupInputs"/>.</param>
    /// <param name="sums">[rows, 4]</param>
    /// <param name="sumStride">Floats from one row of sums to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddBlock<TSimd, TVector, TElement>(byte* line, float* x, nint xStride, int rows, int inputs, float* sums, nint sumStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IPackedElement
    {
        var row = 0;
        if (TSimd.Lanes == 16)
        {
            // Eight rows are two tiles of four rather than one of six and one of two.
            for (; row + 6 <= rows && rows - row != 8; row += 6)
            {
                Tile6<TSimd, TVector, TElement>(line, x + (row * xStride), xStride, inputs, sums + (row * sumStride), sumStride);
            }

            for (; row + 4 <= rows; row += 4)
            {
                Tile4<TSimd, TVector, TElement>(line, x + (row * xStride), xStride, inputs, sums + (row * sumStride), sumStride);
            }
        }

        for (; row + 2 <= rows; row += 2)
        {
            Tile2<TSimd, TVector, TElement>(line, x + (row * xStride), xStride, inputs, sums + (row * sumStride), sumStride);
        }

        if (row < rows)
        {
            Tile1<TSimd, TVector, TElement>(line, x + (row * xStride), inputs, sums + (row * sumStride));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* line, nint lineBytes)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(line + PrefetchBytes);
            Sse.Prefetch0(line + PrefetchBytes + lineBytes);
            Sse.Prefetch0(line + PrefetchBytes + (2 * lineBytes));
            Sse.Prefetch0(line + PrefetchBytes + (3 * lineBytes));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1<TSimd, TVector, TElement>(byte* line, float* x, int inputs, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IPackedElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        nint lineBytes = TSimd.Lanes * sizeof(uint);
        for (var end = x + inputs; x < end; x += 2 * TSimd.Lanes)
        {
            Prefetch(line, lineBytes);
            var v = TSimd.Load(x);
            a0 = TSimd.MultiplyAdd(TElement.LoadLow<TSimd, TVector>(line), v, a0);
            a1 = TSimd.MultiplyAdd(TElement.LoadLow<TSimd, TVector>(line + lineBytes), v, a1);
            a2 = TSimd.MultiplyAdd(TElement.LoadLow<TSimd, TVector>(line + (2 * lineBytes)), v, a2);
            a3 = TSimd.MultiplyAdd(TElement.LoadLow<TSimd, TVector>(line + (3 * lineBytes)), v, a3);
            v = TSimd.Load(x + TSimd.Lanes);
            a0 = TSimd.MultiplyAdd(TElement.LoadHigh<TSimd, TVector>(line), v, a0);
            a1 = TSimd.MultiplyAdd(TElement.LoadHigh<TSimd, TVector>(line + lineBytes), v, a1);
            a2 = TSimd.MultiplyAdd(TElement.LoadHigh<TSimd, TVector>(line + (2 * lineBytes)), v, a2);
            a3 = TSimd.MultiplyAdd(TElement.LoadHigh<TSimd, TVector>(line + (3 * lineBytes)), v, a3);
            line += LinearKernel.TileOutputs * lineBytes;
        }

        LinearKernel.AddTo<TSimd, TVector>(sums, a0, a1, a2, a3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2<TSimd, TVector, TElement>(byte* line, float* x, nint xStride, int inputs, float* sums, nint sumStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IPackedElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        nint lineBytes = TSimd.Lanes * sizeof(uint);
        for (var end = x + inputs; x < end; x += 2 * TSimd.Lanes)
        {
            Prefetch(line, lineBytes);
            var u0 = TElement.LoadLow<TSimd, TVector>(line);
            var u1 = TElement.LoadLow<TSimd, TVector>(line + lineBytes);
            var u2 = TElement.LoadLow<TSimd, TVector>(line + (2 * lineBytes));
            var u3 = TElement.LoadLow<TSimd, TVector>(line + (3 * lineBytes));
            var v = TSimd.Load(x);
            a0 = TSimd.MultiplyAdd(u0, v, a0);
            a1 = TSimd.MultiplyAdd(u1, v, a1);
            a2 = TSimd.MultiplyAdd(u2, v, a2);
            a3 = TSimd.MultiplyAdd(u3, v, a3);
            v = TSimd.Load(x + xStride);
            b0 = TSimd.MultiplyAdd(u0, v, b0);
            b1 = TSimd.MultiplyAdd(u1, v, b1);
            b2 = TSimd.MultiplyAdd(u2, v, b2);
            b3 = TSimd.MultiplyAdd(u3, v, b3);
            u0 = TElement.LoadHigh<TSimd, TVector>(line);
            u1 = TElement.LoadHigh<TSimd, TVector>(line + lineBytes);
            u2 = TElement.LoadHigh<TSimd, TVector>(line + (2 * lineBytes));
            u3 = TElement.LoadHigh<TSimd, TVector>(line + (3 * lineBytes));
            v = TSimd.Load(x + TSimd.Lanes);
            a0 = TSimd.MultiplyAdd(u0, v, a0);
            a1 = TSimd.MultiplyAdd(u1, v, a1);
            a2 = TSimd.MultiplyAdd(u2, v, a2);
            a3 = TSimd.MultiplyAdd(u3, v, a3);
            v = TSimd.Load(x + xStride + TSimd.Lanes);
            b0 = TSimd.MultiplyAdd(u0, v, b0);
            b1 = TSimd.MultiplyAdd(u1, v, b1);
            b2 = TSimd.MultiplyAdd(u2, v, b2);
            b3 = TSimd.MultiplyAdd(u3, v, b3);
            line += LinearKernel.TileOutputs * lineBytes;
        }

        LinearKernel.AddTo<TSimd, TVector>(sums, a0, a1, a2, a3);
        LinearKernel.AddTo<TSimd, TVector>(sums + sumStride, b0, b1, b2, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4<TSimd, TVector, TElement>(byte* line, float* x, nint xStride, int inputs, float* sums, nint sumStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IPackedElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        TVector c0 = TSimd.Zero, c1 = TSimd.Zero, c2 = TSimd.Zero, c3 = TSimd.Zero;
        TVector d0 = TSimd.Zero, d1 = TSimd.Zero, d2 = TSimd.Zero, d3 = TSimd.Zero;
        nint lineBytes = TSimd.Lanes * sizeof(uint);
        for (var end = x + inputs; x < end; x += 2 * TSimd.Lanes)
        {
            Prefetch(line, lineBytes);
            var u0 = TElement.LoadLow<TSimd, TVector>(line);
            var u1 = TElement.LoadLow<TSimd, TVector>(line + lineBytes);
            var u2 = TElement.LoadLow<TSimd, TVector>(line + (2 * lineBytes));
            var u3 = TElement.LoadLow<TSimd, TVector>(line + (3 * lineBytes));
            var v = TSimd.Load(x);
            a0 = TSimd.MultiplyAdd(u0, v, a0);
            a1 = TSimd.MultiplyAdd(u1, v, a1);
            a2 = TSimd.MultiplyAdd(u2, v, a2);
            a3 = TSimd.MultiplyAdd(u3, v, a3);
            v = TSimd.Load(x + xStride);
            b0 = TSimd.MultiplyAdd(u0, v, b0);
            b1 = TSimd.MultiplyAdd(u1, v, b1);
            b2 = TSimd.MultiplyAdd(u2, v, b2);
            b3 = TSimd.MultiplyAdd(u3, v, b3);
            v = TSimd.Load(x + (2 * xStride));
            c0 = TSimd.MultiplyAdd(u0, v, c0);
            c1 = TSimd.MultiplyAdd(u1, v, c1);
            c2 = TSimd.MultiplyAdd(u2, v, c2);
            c3 = TSimd.MultiplyAdd(u3, v, c3);
            v = TSimd.Load(x + (3 * xStride));
            d0 = TSimd.MultiplyAdd(u0, v, d0);
            d1 = TSimd.MultiplyAdd(u1, v, d1);
            d2 = TSimd.MultiplyAdd(u2, v, d2);
            d3 = TSimd.MultiplyAdd(u3, v, d3);
            u0 = TElement.LoadHigh<TSimd, TVector>(line);
            u1 = TElement.LoadHigh<TSimd, TVector>(line + lineBytes);
            u2 = TElement.LoadHigh<TSimd, TVector>(line + (2 * lineBytes));
            u3 = TElement.LoadHigh<TSimd, TVector>(line + (3 * lineBytes));
            v = TSimd.Load(x + TSimd.Lanes);
            a0 = TSimd.MultiplyAdd(u0, v, a0);
            a1 = TSimd.MultiplyAdd(u1, v, a1);
            a2 = TSimd.MultiplyAdd(u2, v, a2);
            a3 = TSimd.MultiplyAdd(u3, v, a3);
            v = TSimd.Load(x + xStride + TSimd.Lanes);
            b0 = TSimd.MultiplyAdd(u0, v, b0);
            b1 = TSimd.MultiplyAdd(u1, v, b1);
            b2 = TSimd.MultiplyAdd(u2, v, b2);
            b3 = TSimd.MultiplyAdd(u3, v, b3);
            v = TSimd.Load(x + (2 * xStride) + TSimd.Lanes);
            c0 = TSimd.MultiplyAdd(u0, v, c0);
            c1 = TSimd.MultiplyAdd(u1, v, c1);
            c2 = TSimd.MultiplyAdd(u2, v, c2);
            c3 = TSimd.MultiplyAdd(u3, v, c3);
            v = TSimd.Load(x + (3 * xStride) + TSimd.Lanes);
            d0 = TSimd.MultiplyAdd(u0, v, d0);
            d1 = TSimd.MultiplyAdd(u1, v, d1);
            d2 = TSimd.MultiplyAdd(u2, v, d2);
            d3 = TSimd.MultiplyAdd(u3, v, d3);
            line += LinearKernel.TileOutputs * lineBytes;
        }

        LinearKernel.AddTo<TSimd, TVector>(sums, a0, a1, a2, a3);
        LinearKernel.AddTo<TSimd, TVector>(sums + sumStride, b0, b1, b2, b3);
        LinearKernel.AddTo<TSimd, TVector>(sums + (2 * sumStride), c0, c1, c2, c3);
        LinearKernel.AddTo<TSimd, TVector>(sums + (3 * sumStride), d0, d1, d2, d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile6<TSimd, TVector, TElement>(byte* line, float* x, nint xStride, int inputs, float* sums, nint sumStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IPackedElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        TVector c0 = TSimd.Zero, c1 = TSimd.Zero, c2 = TSimd.Zero, c3 = TSimd.Zero;
        TVector d0 = TSimd.Zero, d1 = TSimd.Zero, d2 = TSimd.Zero, d3 = TSimd.Zero;
        TVector e0 = TSimd.Zero, e1 = TSimd.Zero, e2 = TSimd.Zero, e3 = TSimd.Zero;
        TVector f0 = TSimd.Zero, f1 = TSimd.Zero, f2 = TSimd.Zero, f3 = TSimd.Zero;
        nint lineBytes = TSimd.Lanes * sizeof(uint);
        var y = x + (3 * xStride);
        for (var end = x + inputs; x < end; x += 2 * TSimd.Lanes)
        {
            Prefetch(line, lineBytes);
            var u0 = TElement.LoadLow<TSimd, TVector>(line);
            var u1 = TElement.LoadLow<TSimd, TVector>(line + lineBytes);
            var u2 = TElement.LoadLow<TSimd, TVector>(line + (2 * lineBytes));
            var u3 = TElement.LoadLow<TSimd, TVector>(line + (3 * lineBytes));
            var v = TSimd.Load(x);
            a0 = TSimd.MultiplyAdd(u0, v, a0);
            a1 = TSimd.MultiplyAdd(u1, v, a1);
            a2 = TSimd.MultiplyAdd(u2, v, a2);
            a3 = TSimd.MultiplyAdd(u3, v, a3);
            v = TSimd.Load(x + xStride);
            b0 = TSimd.MultiplyAdd(u0, v, b0);
            b1 = TSimd.MultiplyAdd(u1, v, b1);
            b2 = TSimd.MultiplyAdd(u2, v, b2);
            b3 = TSimd.MultiplyAdd(u3, v, b3);
            v = TSimd.Load(x + (2 * xStride));
            c0 = TSimd.MultiplyAdd(u0, v, c0);
            c1 = TSimd.MultiplyAdd(u1, v, c1);
            c2 = TSimd.MultiplyAdd(u2, v, c2);
            c3 = TSimd.MultiplyAdd(u3, v, c3);
            v = TSimd.Load(y);
            d0 = TSimd.MultiplyAdd(u0, v, d0);
            d1 = TSimd.MultiplyAdd(u1, v, d1);
            d2 = TSimd.MultiplyAdd(u2, v, d2);
            d3 = TSimd.MultiplyAdd(u3, v, d3);
            v = TSimd.Load(y + xStride);
            e0 = TSimd.MultiplyAdd(u0, v, e0);
            e1 = TSimd.MultiplyAdd(u1, v, e1);
            e2 = TSimd.MultiplyAdd(u2, v, e2);
            e3 = TSimd.MultiplyAdd(u3, v, e3);
            v = TSimd.Load(y + (2 * xStride));
            f0 = TSimd.MultiplyAdd(u0, v, f0);
            f1 = TSimd.MultiplyAdd(u1, v, f1);
            f2 = TSimd.MultiplyAdd(u2, v, f2);
            f3 = TSimd.MultiplyAdd(u3, v, f3);
            u0 = TElement.LoadHigh<TSimd, TVector>(line);
            u1 = TElement.LoadHigh<TSimd, TVector>(line + lineBytes);
            u2 = TElement.LoadHigh<TSimd, TVector>(line + (2 * lineBytes));
            u3 = TElement.LoadHigh<TSimd, TVector>(line + (3 * lineBytes));
            v = TSimd.Load(x + TSimd.Lanes);
            a0 = TSimd.MultiplyAdd(u0, v, a0);
            a1 = TSimd.MultiplyAdd(u1, v, a1);
            a2 = TSimd.MultiplyAdd(u2, v, a2);
            a3 = TSimd.MultiplyAdd(u3, v, a3);
            v = TSimd.Load(x + xStride + TSimd.Lanes);
            b0 = TSimd.MultiplyAdd(u0, v, b0);
            b1 = TSimd.MultiplyAdd(u1, v, b1);
            b2 = TSimd.MultiplyAdd(u2, v, b2);
            b3 = TSimd.MultiplyAdd(u3, v, b3);
            v = TSimd.Load(x + (2 * xStride) + TSimd.Lanes);
            c0 = TSimd.MultiplyAdd(u0, v, c0);
            c1 = TSimd.MultiplyAdd(u1, v, c1);
            c2 = TSimd.MultiplyAdd(u2, v, c2);
            c3 = TSimd.MultiplyAdd(u3, v, c3);
            v = TSimd.Load(y + TSimd.Lanes);
            d0 = TSimd.MultiplyAdd(u0, v, d0);
            d1 = TSimd.MultiplyAdd(u1, v, d1);
            d2 = TSimd.MultiplyAdd(u2, v, d2);
            d3 = TSimd.MultiplyAdd(u3, v, d3);
            v = TSimd.Load(y + xStride + TSimd.Lanes);
            e0 = TSimd.MultiplyAdd(u0, v, e0);
            e1 = TSimd.MultiplyAdd(u1, v, e1);
            e2 = TSimd.MultiplyAdd(u2, v, e2);
            e3 = TSimd.MultiplyAdd(u3, v, e3);
            v = TSimd.Load(y + (2 * xStride) + TSimd.Lanes);
            f0 = TSimd.MultiplyAdd(u0, v, f0);
            f1 = TSimd.MultiplyAdd(u1, v, f1);
            f2 = TSimd.MultiplyAdd(u2, v, f2);
            f3 = TSimd.MultiplyAdd(u3, v, f3);
            y += 2 * TSimd.Lanes;
            line += LinearKernel.TileOutputs * lineBytes;
        }

        LinearKernel.AddTo<TSimd, TVector>(sums, a0, a1, a2, a3);
        LinearKernel.AddTo<TSimd, TVector>(sums + sumStride, b0, b1, b2, b3);
        LinearKernel.AddTo<TSimd, TVector>(sums + (2 * sumStride), c0, c1, c2, c3);
        LinearKernel.AddTo<TSimd, TVector>(sums + (3 * sumStride), d0, d1, d2, d3);
        LinearKernel.AddTo<TSimd, TVector>(sums + (4 * sumStride), e0, e1, e2, e3);
        LinearKernel.AddTo<TSimd, TVector>(sums + (5 * sumStride), f0, f1, f2, f3);
    }
}
