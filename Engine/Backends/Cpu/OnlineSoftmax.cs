using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Softmax over scores that come partition by partition.</summary>
internal static unsafe class OnlineSoftmax
{
    /// <summary>Turns a partition's scores into weights relative to the running maximum, and rescales what came before.</summary>
    /// <param name="scores">[blocks, stride], overwritten by the weights; 0 for tokens that are not visible.</param>
    /// <param name="blockSize">Tokens of a block.</param>
    /// <param name="stride">Scores from one block to the next, whole vectors.</param>
    /// <param name="first">First visible token of the partition; may be negative.</param>
    /// <param name="end">One past the last visible token; may lie past the partition.</param>
    /// <param name="maximum">Largest score so far.</param>
    /// <param name="total">Sum of the weights so far.</param>
    /// <param name="sums">[dimensions] weighted values so far.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Update<TSimd, TVector>(float* scores, int blocks, int blockSize, int stride, int first, int end, ref float maximum, ref float total, float* sums, int dimensions)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var peak = TSimd.Broadcast(float.NegativeInfinity);
        for (var b = 0; b < blocks; b++)
        {
            // Keys of tokens that are not there, or not visible, may be anything: their scores are overwritten before use.
            var low = Math.Clamp(first - (b * blockSize), 0, blockSize);
            var high = Math.Clamp(end - (b * blockSize), low, blockSize);
            var block = scores + (b * stride);
            new Span<float>(block, low).Fill(float.NegativeInfinity);
            new Span<float>(block + high, stride - high).Fill(float.NegativeInfinity);
            for (var t = 0; t < stride; t += TSimd.Lanes)
            {
                peak = TSimd.Max(peak, TSimd.Load(block + t));
            }
        }

        var newMaximum = MathF.Max(maximum, TSimd.MaxAcross(peak));
        if (newMaximum == float.NegativeInfinity)
        {
            new Span<float>(scores, blocks * stride).Clear();
            return;
        }

        var negative = TSimd.Broadcast(-newMaximum);
        var sum = TSimd.Zero;
        for (var t = 0; t < blocks * stride; t += TSimd.Lanes)
        {
            var weight = TSimd.Exp(TSimd.Add(TSimd.Load(scores + t), negative));
            TSimd.Store(weight, scores + t);
            sum = TSimd.Add(sum, weight);
        }

        var correction = MathF.Exp(maximum - newMaximum);
        total = (total * correction) + TSimd.Sum(sum);
        maximum = newMaximum;
        if (correction != 1)
        {
            for (var d = 0; d < dimensions; d++)
            {
                sums[d] *= correction;
            }
        }
    }
}
