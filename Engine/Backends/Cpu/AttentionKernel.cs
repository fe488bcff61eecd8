using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>The two products of attention over one KV block.</summary>
/// <remarks>Scores add dimensions in four interleaved sums, then (0 + 1) + (2 + 3); values add token by token. The order is the same for
/// any number of rows, so a query's result does not depend on those beside it.</remarks>
internal static unsafe class AttentionKernel
{
    /// <summary>scores[r, t] = query r · key t, over the tokens of a block.</summary>
    /// <param name="queries">[rows, headDim]</param>
    /// <param name="keys">[headDim, tokenStride]</param>
    /// <param name="tokens">Tokens to score, rounded up to whole vectors.</param>
    /// <param name="scores">[rows, scoreStride]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scores<TSimd, TVector, TElement>(float* queries, int rows, int headDim, byte* keys, int tokenStride, int tokens, float* scores, int scoreStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var keyBytes = (nint)tokenStride * TElement.SizeBytes;
        for (var t = 0; t < tokens; t += TSimd.Lanes)
        {
            var column = keys + ((nint)t * TElement.SizeBytes);
            var r = 0;
            if (TSimd.Lanes == 16)
            {
                // Sixteen accumulators: only where there are 32 registers.
                for (; r + 4 <= rows; r += 4)
                {
                    Scores4<TSimd, TVector, TElement>(queries + (r * headDim), headDim, column, keyBytes, scores + (r * scoreStride) + t, scoreStride);
                }
            }

            for (; r + 2 <= rows; r += 2)
            {
                Scores2<TSimd, TVector, TElement>(queries + (r * headDim), headDim, column, keyBytes, scores + (r * scoreStride) + t, scoreStride);
            }

            if (r < rows)
            {
                Scores1<TSimd, TVector, TElement>(queries + (r * headDim), headDim, column, keyBytes, scores + (r * scoreStride) + t);
            }
        }
    }

    /// <summary>sums[r] += Σ probabilities[r, t] × value t, over the tokens of a block.</summary>
    /// <param name="values">[tokens, headDim]</param>
    /// <param name="valueBytes">Bytes from one token's values to the next.</param>
    /// <param name="sums">[rows, headDim]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddValues<TSimd, TVector, TElement>(float* probabilities, int probabilityStride, int rows, int headDim, byte* values, nint valueBytes, int tokens, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var r = 0;
        for (; r + 4 <= rows; r += 4)
        {
            var d = 0;
            for (; d + (2 * TSimd.Lanes) <= headDim; d += 2 * TSimd.Lanes)
            {
                AddValues4<TSimd, TVector, TElement>(probabilities + (r * probabilityStride), probabilityStride, headDim, values + ((nint)d * TElement.SizeBytes), valueBytes, tokens, sums + (r * headDim) + d);
            }

            for (; d < headDim; d += TSimd.Lanes)
            {
                for (var i = 0; i < 4; i++)
                {
                    AddValues1<TSimd, TVector, TElement>(probabilities + ((r + i) * probabilityStride), values + ((nint)d * TElement.SizeBytes), valueBytes, tokens, sums + ((r + i) * headDim) + d);
                }
            }
        }

        for (; r < rows; r++)
        {
            var d = 0;
            for (; d + (2 * TSimd.Lanes) <= headDim; d += 2 * TSimd.Lanes)
            {
                AddValues1x2<TSimd, TVector, TElement>(probabilities + (r * probabilityStride), values + ((nint)d * TElement.SizeBytes), valueBytes, tokens, sums + (r * headDim) + d);
            }

            for (; d < headDim; d += TSimd.Lanes)
            {
                AddValues1<TSimd, TVector, TElement>(probabilities + (r * probabilityStride), values + ((nint)d * TElement.SizeBytes), valueBytes, tokens, sums + (r * headDim) + d);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scores4<TSimd, TVector, TElement>(float* query, int headDim, byte* key, nint keyBytes, float* scores, int scoreStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        TVector c0 = TSimd.Zero, c1 = TSimd.Zero, c2 = TSimd.Zero, c3 = TSimd.Zero;
        TVector d0 = TSimd.Zero, d1 = TSimd.Zero, d2 = TSimd.Zero, d3 = TSimd.Zero;
        var q1 = query + headDim;
        var q2 = query + (2 * headDim);
        var q3 = query + (3 * headDim);
        for (var d = 0; d < headDim; d += 4)
        {
            var k = TElement.Load<TSimd, TVector>(key);
            a0 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d]), k, a0);
            b0 = TSimd.MultiplyAdd(TSimd.Broadcast(q1[d]), k, b0);
            c0 = TSimd.MultiplyAdd(TSimd.Broadcast(q2[d]), k, c0);
            d0 = TSimd.MultiplyAdd(TSimd.Broadcast(q3[d]), k, d0);
            k = TElement.Load<TSimd, TVector>(key + keyBytes);
            a1 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 1]), k, a1);
            b1 = TSimd.MultiplyAdd(TSimd.Broadcast(q1[d + 1]), k, b1);
            c1 = TSimd.MultiplyAdd(TSimd.Broadcast(q2[d + 1]), k, c1);
            d1 = TSimd.MultiplyAdd(TSimd.Broadcast(q3[d + 1]), k, d1);
            k = TElement.Load<TSimd, TVector>(key + (2 * keyBytes));
            a2 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 2]), k, a2);
            b2 = TSimd.MultiplyAdd(TSimd.Broadcast(q1[d + 2]), k, b2);
            c2 = TSimd.MultiplyAdd(TSimd.Broadcast(q2[d + 2]), k, c2);
            d2 = TSimd.MultiplyAdd(TSimd.Broadcast(q3[d + 2]), k, d2);
            k = TElement.Load<TSimd, TVector>(key + (3 * keyBytes));
            a3 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 3]), k, a3);
            b3 = TSimd.MultiplyAdd(TSimd.Broadcast(q1[d + 3]), k, b3);
            c3 = TSimd.MultiplyAdd(TSimd.Broadcast(q2[d + 3]), k, c3);
            d3 = TSimd.MultiplyAdd(TSimd.Broadcast(q3[d + 3]), k, d3);
            key += 4 * keyBytes;
        }

        TSimd.Store(TSimd.Add(TSimd.Add(a0, a1), TSimd.Add(a2, a3)), scores);
        TSimd.Store(TSimd.Add(TSimd.Add(b0, b1), TSimd.Add(b2, b3)), scores + scoreStride);
        TSimd.Store(TSimd.Add(TSimd.Add(c0, c1), TSimd.Add(c2, c3)), scores + (2 * scoreStride));
        TSimd.Store(TSimd.Add(TSimd.Add(d0, d1), TSimd.Add(d2, d3)), scores + (3 * scoreStride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scores2<TSimd, TVector, TElement>(float* query, int headDim, byte* key, nint keyBytes, float* scores, int scoreStride)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        var q1 = query + headDim;
        for (var d = 0; d < headDim; d += 4)
        {
            var k = TElement.Load<TSimd, TVector>(key);
            a0 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d]), k, a0);
            b0 = TSimd.MultiplyAdd(TSimd.Broadcast(q1[d]), k, b0);
            k = TElement.Load<TSimd, TVector>(key + keyBytes);
            a1 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 1]), k, a1);
            b1 = TSimd.MultiplyAdd(TSimd.Broadcast(q1[d + 1]), k, b1);
            k = TElement.Load<TSimd, TVector>(key + (2 * keyBytes));
            a2 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 2]), k, a2);
            b2 = TSimd.MultiplyAdd(TSimd.Broadcast(q1[d + 2]), k, b2);
            k = TElement.Load<TSimd, TVector>(key + (3 * keyBytes));
            a3 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 3]), k, a3);
            b3 = TSimd.MultiplyAdd(TSimd.Broadcast(q1[d + 3]), k, b3);
            key += 4 * keyBytes;
        }

        TSimd.Store(TSimd.Add(TSimd.Add(a0, a1), TSimd.Add(a2, a3)), scores);
        TSimd.Store(TSimd.Add(TSimd.Add(b0, b1), TSimd.Add(b2, b3)), scores + scoreStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scores1<TSimd, TVector, TElement>(float* query, int headDim, byte* key, nint keyBytes, float* scores)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        for (var d = 0; d < headDim; d += 4)
        {
            var k = TElement.Load<TSimd, TVector>(key);
            a0 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d]), k, a0);
            k = TElement.Load<TSimd, TVector>(key + keyBytes);
            a1 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 1]), k, a1);
            k = TElement.Load<TSimd, TVector>(key + (2 * keyBytes));
            a2 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 2]), k, a2);
            k = TElement.Load<TSimd, TVector>(key + (3 * keyBytes));
            a3 = TSimd.MultiplyAdd(TSimd.Broadcast(query[d + 3]), k, a3);
            key += 4 * keyBytes;
        }

        TSimd.Store(TSimd.Add(TSimd.Add(a0, a1), TSimd.Add(a2, a3)), scores);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddValues4<TSimd, TVector, TElement>(float* probabilities, int probabilityStride, int headDim, byte* values, nint valueBytes, int tokens, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var vectorBytes = (nint)TSimd.Lanes * TElement.SizeBytes;
        var a0 = TSimd.Load(sums);
        var a1 = TSimd.Load(sums + TSimd.Lanes);
        var b0 = TSimd.Load(sums + headDim);
        var b1 = TSimd.Load(sums + headDim + TSimd.Lanes);
        var c0 = TSimd.Load(sums + (2 * headDim));
        var c1 = TSimd.Load(sums + (2 * headDim) + TSimd.Lanes);
        var d0 = TSimd.Load(sums + (3 * headDim));
        var d1 = TSimd.Load(sums + (3 * headDim) + TSimd.Lanes);
        for (var t = 0; t < tokens; t++)
        {
            var v0 = TElement.Load<TSimd, TVector>(values);
            var v1 = TElement.Load<TSimd, TVector>(values + vectorBytes);
            var p = TSimd.Broadcast(probabilities[t]);
            a0 = TSimd.MultiplyAdd(p, v0, a0);
            a1 = TSimd.MultiplyAdd(p, v1, a1);
            p = TSimd.Broadcast(probabilities[t + probabilityStride]);
            b0 = TSimd.MultiplyAdd(p, v0, b0);
            b1 = TSimd.MultiplyAdd(p, v1, b1);
            p = TSimd.Broadcast(probabilities[t + (2 * probabilityStride)]);
            c0 = TSimd.MultiplyAdd(p, v0, c0);
            c1 = TSimd.MultiplyAdd(p, v1, c1);
            p = TSimd.Broadcast(probabilities[t + (3 * probabilityStride)]);
            d0 = TSimd.MultiplyAdd(p, v0, d0);
            d1 = TSimd.MultiplyAdd(p, v1, d1);
            values += valueBytes;
        }

        TSimd.Store(a0, sums);
        TSimd.Store(a1, sums + TSimd.Lanes);
        TSimd.Store(b0, sums + headDim);
        TSimd.Store(b1, sums + headDim + TSimd.Lanes);
        TSimd.Store(c0, sums + (2 * headDim));
        TSimd.Store(c1, sums + (2 * headDim) + TSimd.Lanes);
        TSimd.Store(d0, sums + (3 * headDim));
        TSimd.Store(d1, sums + (3 * headDim) + TSimd.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddValues1x2<TSimd, TVector, TElement>(float* probabilities, byte* values, nint valueBytes, int tokens, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var vectorBytes = (nint)TSimd.Lanes * TElement.SizeBytes;
        var a0 = TSimd.Load(sums);
        var a1 = TSimd.Load(sums + TSimd.Lanes);
        for (var t = 0; t < tokens; t++)
        {
            var v0 = TElement.Load<TSimd, TVector>(values);
            var v1 = TElement.Load<TSimd, TVector>(values + vectorBytes);
            var p = TSimd.Broadcast(probabilities[t]);
            a0 = TSimd.MultiplyAdd(p, v0, a0);
            a1 = TSimd.MultiplyAdd(p, v1, a1);
            values += valueBytes;
        }

        TSimd.Store(a0, sums);
        TSimd.Store(a1, sums + TSimd.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddValues1<TSimd, TVector, TElement>(float* probabilities, byte* values, nint valueBytes, int tokens, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TElement : struct, IElement
    {
        var a0 = TSimd.Load(sums);
        for (var t = 0; t < tokens; t++)
        {
            var v0 = TElement.Load<TSimd, TVector>(values);
            a0 = TSimd.MultiplyAdd(TSimd.Broadcast(probabilities[t]), v0, a0);
            values += valueBytes;
        }

        TSimd.Store(a0, sums);
    }
}
