using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Fastgen.Engine.Sampling;

/// <summary>Passes over one row of logits.</summary>
internal static class LogitsMath
{
    /// <summary>Elements that are summed in float32 before the sum goes on in float64.</summary>
    public const int ChunkSize = 1024;

    /// <summary>Largest and smallest logit, and whether all of them are finite.</summary>
    public static (float Max, float Min, bool Finite) Range(ReadOnlySpan<float> logits)
    {
        float max = float.NegativeInfinity;
        float min = float.PositiveInfinity;
        // x × 0 is NaN for NaN and for both infinities, and 0 for all else.
        float zero = 0;
        int i = 0;
        if (logits.Length >= Vector256<float>.Count)
        {
            ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(logits);
            Vector256<float> maxes = vectors[0];
            Vector256<float> mins = vectors[0];
            Vector256<float> zeros = Vector256<float>.Zero;
            foreach (Vector256<float> vector in vectors)
            {
                maxes = Vector256.Max(maxes, vector);
                mins = Vector256.Min(mins, vector);
                zeros += vector * Vector256<float>.Zero;
            }

            for (int lane = 0; lane < Vector256<float>.Count; lane++)
            {
                max = Math.Max(max, maxes[lane]);
                min = Math.Min(min, mins[lane]);
                zero += zeros[lane];
            }

            i = vectors.Length * Vector256<float>.Count;
        }

        for (; i < logits.Length; i++)
        {
            max = Math.Max(max, logits[i]);
            min = Math.Min(min, logits[i]);
            zero += logits[i] * 0;
        }

        return (max, min, zero == 0);
    }

    /// <summary>The first place of the largest value.</summary>
    public static int IndexOfMax(ReadOnlySpan<float> values)
    {
        float max = float.NegativeInfinity;
        foreach (Vector256<float> vector in MemoryMarshal.Cast<float, Vector256<float>>(values))
        {
            if (Vector256.GreaterThanAny(vector, Vector256.Create(max)))
            {
                for (int lane = 0; lane < Vector256<float>.Count; lane++)
                {
                    max = Math.Max(max, vector[lane]);
                }
            }
        }

        for (int i = values.Length - (values.Length % Vector256<float>.Count); i < values.Length; i++)
        {
            max = Math.Max(max, values[i]);
        }

        return values.IndexOf(max);
    }

    /// <summary>weights = exp((logits - max) / temperature), so that the largest is 1.</summary>
    public static void Weights(ReadOnlySpan<float> logits, float max, float temperature, Span<float> weights)
    {
        ReadOnlySpan<Vector256<float>> from = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        Span<Vector256<float>> to = MemoryMarshal.Cast<float, Vector256<float>>(weights);
        Vector256<float> maxes = Vector256.Create(max);
        Vector256<float> temperatures = Vector256.Create(temperature);
        for (int v = 0; v < from.Length; v++)
        {
            to[v] = Vector256.Exp((from[v] - maxes) / temperatures);
        }

        for (int i = from.Length * Vector256<float>.Count; i < logits.Length; i++)
        {
            weights[i] = MathF.Exp((logits[i] - max) / temperature);
        }
    }

    /// <summary>ln Σ exp(logits).</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits, float max)
    {
        double total = 0;
        Vector256<float> maxes = Vector256.Create(max);
        for (int start = 0; start < logits.Length; start += ChunkSize)
        {
            ReadOnlySpan<float> chunk = logits.Slice(start, Math.Min(ChunkSize, logits.Length - start));
            ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(chunk);
            Vector256<float> sums = Vector256<float>.Zero;
            foreach (Vector256<float> vector in vectors)
            {
                sums += Vector256.Exp(vector - maxes);
            }

            total += Vector256.Sum(sums);
            for (int i = vectors.Length * Vector256<float>.Count; i < chunk.Length; i++)
            {
                total += MathF.Exp(chunk[i] - max);
            }
        }

        return max + Math.Log(total);
    }

    /// <summary>The k largest values, best first; of equal ones the lower index first.</summary>
    /// <param name="indices">Its length is k, at most the number of values.</param>
    public static void Top(ReadOnlySpan<float> values, Span<int> indices)
    {
        int found = 0;
        int i = 0;
        int step = Vector256<float>.Count;
        while (i < values.Length)
        {
            if (found == indices.Length && i + step <= values.Length
                && !Vector256.GreaterThanAny(Vector256.Create(values.Slice(i, step)), Vector256.Create(values[indices[^1]])))
            {
                i += step;
                continue;
            }

            for (int end = Math.Min(i + step, values.Length); i < end; i++)
            {
                float value = values[i];
                if (found == indices.Length && !(value > values[indices[^1]]))
                {
                    continue;
                }

                int place = found < indices.Length ? found++ : found - 1;
                for (; place > 0 && value > values[indices[place - 1]]; place--)
                {
                    indices[place] = indices[place - 1];
                }

                indices[place] = i;
            }
        }
    }
}
