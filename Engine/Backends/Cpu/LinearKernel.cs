using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Products of activation rows with four weight rows at a time.</summary>
/// <remarks>Every path adds in one order: inputs in blocks of <see cref="BlockInputs"/>; in a block each lane takes every
/// Lanes-th input, first to last; then the lanes are summed as <see cref="ISimd{TVector}.Sum4"/> says; blocks are added
/// first to last; the bias comes last. So a row's result does not depend on how many rows there are, nor on the thread count.</remarks>
internal static unsafe class LinearKernel
{
    /// <summary>Inputs of a block: six activation rows and four weight rows of fp32 stay in a 48 KiB first-level cache.</summary>
    public const int BlockInputs = 1024;

    /// <summary>Weight rows of a tile.</summary>
    public const int TileOutputs = 4;

    /// <summary>Activation rows of the largest tile: 24 accumulators of 32 registers.</summary>
    public const int TileRows = 6;

    /// <summary>Adds to sums[r] the products of activation row r with weight rows 0..3 over a block of inputs.</summary>
    /// <param name="w0">First weight row at the block's first input; likewise the others.</param>
    /// <param name="ahead">Bytes from a weight to the one to prefetch.</param>
    /// <param name="x">First activation row at the block's first input.</param>
    /// <param name="xStride">Floats from one activation row to the next.</param>
    /// <param name="rows">Activation rows, at least 1.</param>
    /// <param name="inputs">Inputs of the block, a multiple of 16.</param>
    /// <param name="sums">[rows]</param>
    /// <param name="sumStride">Floats from one row of sums to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddBlock<TSimd, TVector, TElement>(byte* w0, byte* w1, byte* w2, byte* w3, nint ahead, float* x, nint xStride, int rows, int inputs, float* sums, nint sumStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var row = 0;
        if (TSimd.Lanes == 16)
        {
            // Eight rows are two tiles of four rather than one of six and one of two.
            for (; row + 6 <= rows && rows - row != 8; row += 6)
            {
                Tile6<TSimd, TVector, TElement>(w0, w1, w2, w3, x + (row * xStride), xStride, inputs, sums + (row * sumStride), sumStride);
            }

            for (; row + 4 <= rows; row += 4)
            {
                Tile4<TSimd, TVector, TElement>(w0, w1, w2, w3, ahead, x + (row * xStride), xStride, inputs, sums + (row * sumStride), sumStride);
            }
        }

        for (; row + 2 <= rows; row += 2)
        {
            Tile2<TSimd, TVector, TElement>(w0, w1, w2, w3, ahead, x + (row * xStride), xStride, inputs, sums + (row * sumStride), sumStride);
        }

        if (row < rows)
        {
            Tile1<TSimd, TVector, TElement>(w0, w1, w2, w3, ahead, x + (row * xStride), inputs, sums + (row * sumStride));
        }
    }

    /// <summary>Rows are short: the processor's own prefetching starts anew with each, so the next tile's rows are asked for here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* w0, byte* w1, byte* w2, byte* w3, nint ahead)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(w0 + ahead);
            Sse.Prefetch1(w1 + ahead);
            Sse.Prefetch1(w2 + ahead);
            Sse.Prefetch1(w3 + ahead);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddTo<TSimd, TVector>(float* sums, TVector a, TVector b, TVector c, TVector d)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => (Vector128.Load(sums) + TSimd.Sum4(a, b, c, d)).Store(sums);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1<TSimd, TVector, TElement>(byte* w0, byte* w1, byte* w2, byte* w3, nint ahead, float* x, int inputs, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        var bytes = (nint)inputs * TElement.SizeBytes;
        for (nint i = 0; i < bytes; i += TSimd.Lanes * TElement.SizeBytes)
        {
            Prefetch(w0 + i, w1 + i, w2 + i, w3 + i, ahead);
            var v = TSimd.Load(x);
            x += TSimd.Lanes;
            a0 = TSimd.MultiplyAdd(TElement.Load<TSimd, TVector>(w0 + i), v, a0);
            a1 = TSimd.MultiplyAdd(TElement.Load<TSimd, TVector>(w1 + i), v, a1);
            a2 = TSimd.MultiplyAdd(TElement.Load<TSimd, TVector>(w2 + i), v, a2);
            a3 = TSimd.MultiplyAdd(TElement.Load<TSimd, TVector>(w3 + i), v, a3);
        }

        AddTo<TSimd, TVector>(sums, a0, a1, a2, a3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2<TSimd, TVector, TElement>(byte* w0, byte* w1, byte* w2, byte* w3, nint ahead, float* x, nint xStride, int inputs, float* sums, nint sumStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        var bytes = (nint)inputs * TElement.SizeBytes;
        for (nint i = 0; i < bytes; i += TSimd.Lanes * TElement.SizeBytes)
        {
            Prefetch(w0 + i, w1 + i, w2 + i, w3 + i, ahead);
            var xa = TSimd.Load(x);
            var xb = TSimd.Load(x + xStride);
            x += TSimd.Lanes;
            var w = TElement.Load<TSimd, TVector>(w0 + i);
            a0 = TSimd.MultiplyAdd(w, xa, a0);
            b0 = TSimd.MultiplyAdd(w, xb, b0);
            w = TElement.Load<TSimd, TVector>(w1 + i);
            a1 = TSimd.MultiplyAdd(w, xa, a1);
            b1 = TSimd.MultiplyAdd(w, xb, b1);
            w = TElement.Load<TSimd, TVector>(w2 + i);
            a2 = TSimd.MultiplyAdd(w, xa, a2);
            b2 = TSimd.MultiplyAdd(w, xb, b2);
            w = TElement.Load<TSimd, TVector>(w3 + i);
            a3 = TSimd.MultiplyAdd(w, xa, a3);
            b3 = TSimd.MultiplyAdd(w, xb, b3);
        }

        AddTo<TSimd, TVector>(sums, a0, a1, a2, a3);
        AddTo<TSimd, TVector>(sums + sumStride, b0, b1, b2, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4<TSimd, TVector, TElement>(byte* w0, byte* w1, byte* w2, byte* w3, nint ahead, float* x, nint xStride, int inputs, float* sums, nint sumStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        TVector c0 = TSimd.Zero, c1 = TSimd.Zero, c2 = TSimd.Zero, c3 = TSimd.Zero;
        TVector d0 = TSimd.Zero, d1 = TSimd.Zero, d2 = TSimd.Zero, d3 = TSimd.Zero;
        var bytes = (nint)inputs * TElement.SizeBytes;
        for (nint i = 0; i < bytes; i += TSimd.Lanes * TElement.SizeBytes)
        {
            Prefetch(w0 + i, w1 + i, w2 + i, w3 + i, ahead);
            var u0 = TElement.Load<TSimd, TVector>(w0 + i);
            var u1 = TElement.Load<TSimd, TVector>(w1 + i);
            var u2 = TElement.Load<TSimd, TVector>(w2 + i);
            var u3 = TElement.Load<TSimd, TVector>(w3 + i);
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
            x += TSimd.Lanes;
        }

        AddTo<TSimd, TVector>(sums, a0, a1, a2, a3);
        AddTo<TSimd, TVector>(sums + sumStride, b0, b1, b2, b3);
        AddTo<TSimd, TVector>(sums + (2 * sumStride), c0, c1, c2, c3);
        AddTo<TSimd, TVector>(sums + (3 * sumStride), d0, d1, d2, d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile6<TSimd, TVector, TElement>(byte* w0, byte* w1, byte* w2, byte* w3, float* x, nint xStride, int inputs, float* sums, nint sumStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        TVector c0 = TSimd.Zero, c1 = TSimd.Zero, c2 = TSimd.Zero, c3 = TSimd.Zero;
        TVector d0 = TSimd.Zero, d1 = TSimd.Zero, d2 = TSimd.Zero, d3 = TSimd.Zero;
        TVector e0 = TSimd.Zero, e1 = TSimd.Zero, e2 = TSimd.Zero, e3 = TSimd.Zero;
        TVector f0 = TSimd.Zero, f1 = TSimd.Zero, f2 = TSimd.Zero, f3 = TSimd.Zero;
        var bytes = (nint)inputs * TElement.SizeBytes;
        var y = x + (3 * xStride);
        for (nint i = 0; i < bytes; i += TSimd.Lanes * TElement.SizeBytes)
        {
            var u0 = TElement.Load<TSimd, TVector>(w0 + i);
            var u1 = TElement.Load<TSimd, TVector>(w1 + i);
            var u2 = TElement.Load<TSimd, TVector>(w2 + i);
            var u3 = TElement.Load<TSimd, TVector>(w3 + i);
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
            x += TSimd.Lanes;
            y += TSimd.Lanes;
        }

        AddTo<TSimd, TVector>(sums, a0, a1, a2, a3);
        AddTo<TSimd, TVector>(sums + sumStride, b0, b1, b2, b3);
        AddTo<TSimd, TVector>(sums + (2 * sumStride), c0, c1, c2, c3);
        AddTo<TSimd, TVector>(sums + (3 * sumStride), d0, d1, d2, d3);
        AddTo<TSimd, TVector>(sums + (4 * sumStride), e0, e1, e2, e3);
        AddTo<TSimd, TVector>(sums + (5 * sumStride), f0, f1, f2, f3);
    }
}
