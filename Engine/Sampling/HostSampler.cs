using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Sampling;

/// <summary>Chooses tokens on the host, in the order that <see cref="SamplingParameters"/> documents.</summary>
/// <remarks>Thread-safe: rows of a step may be sampled in parallel. Allocates nothing once its buffers have grown.
/// A random choice takes one number u from <see cref="PhiloxGenerator"/>: the chosen token is the first, by token id, at
/// which the sum of the kept tokens' probabilities exceeds u.</remarks>
internal sealed class HostSampler : IDisposable
{
    private readonly ThreadLocal<SamplerScratch> _scratch = new(static () => new SamplerScratch());

    /// <summary>Chooses the token of one row.</summary>
    /// <param name="row">What to choose by.</param>
    /// <param name="logits">[vocabulary] raw logits; left as they are.</param>
    /// <param name="rowIndex">Where the result goes in <paramref name="output"/>.</param>
    /// <param name="output">Prepared for the row's batch.</param>
    public void Sample(SampleRow row, Span<float> logits, int rowIndex, StepOutput output)
    {
        SamplingParameters parameters = row.Parameters;
        (float max, float min, bool finite) = LogitsMath.Range(logits);
        output.NotFinite[rowIndex] = !finite;
        output.Logprobs[rowIndex] = float.NaN;
        if (!finite)
        {
            output.TokenIds[rowIndex] = 0;
            return;
        }

        SamplerScratch scratch = _scratch.Value!;
        ReadOnlySpan<float> adjusted = LogitsAdjustment.IsNeeded(row) ? LogitsAdjustment.Apply(row, logits, scratch) : logits;
        int token = parameters.Temperature == 0
            ? LogitsMath.IndexOfMax(adjusted)
            : Draw(row, adjusted, min, scratch);
        output.TokenIds[rowIndex] = token;
        if (parameters.Logprobs is { } top)
        {
            AddLogprobs(logits, max, token, top, rowIndex, output);
        }
    }

    public void Dispose() => _scratch.Dispose();

    private static int Draw(SampleRow row, ReadOnlySpan<float> logits, float min, SamplerScratch scratch)
    {
        SamplingParameters parameters = row.Parameters;
        Span<float> weights = scratch.Weights(logits.Length);
        float max = logits[LogitsMath.IndexOfMax(logits)];
        LogitsMath.Weights(logits, max, parameters.Temperature, weights);

        TokenCut cut = TokenCut.None;
        if (parameters.TopK > 0 || parameters.TopP < 1)
        {
            cut = new TokenFilter(logits, weights, max, min, scratch).Find(parameters.TopK, parameters.TopP);
        }

        Span<double> chunkSums = scratch.ChunkSums(logits.Length);
        double total = KeepAndSum(logits, weights, cut, parameters.MinP, chunkSums);
        return Choose(weights, chunkSums, PhiloxGenerator.Uniform(row.Seed, row.OutputPosition) * total);
    }

    /// <summary>Sets the weights of tokens that are not kept to zero, and sums the others.</summary>
    private static double KeepAndSum(ReadOnlySpan<float> logits, Span<float> weights, TokenCut cut, float minP, Span<double> chunkSums)
    {
        bool all = cut == TokenCut.None && minP == 0;
        double total = 0;
        for (int chunk = 0; chunk < chunkSums.Length; chunk++)
        {
            int start = chunk * LogitsMath.ChunkSize;
            int length = Math.Min(LogitsMath.ChunkSize, weights.Length - start);
            Span<float> kept = weights.Slice(start, length);
            if (!all)
            {
                ReadOnlySpan<float> from = logits.Slice(start, length);
                for (int i = 0; i < length; i++)
                {
                    kept[i] = kept[i] >= minP && cut.Keeps(from[i], start + i) ? kept[i] : 0;
                }
            }

            double sum = Sum(kept);
            chunkSums[chunk] = sum;
            total += sum;
        }

        return total;
    }

    private static double Sum(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        Vector256<float> sums = Vector256<float>.Zero;
        foreach (Vector256<float> vector in vectors)
        {
            sums += vector;
        }

        double sum = Vector256.Sum(sums);
        for (int i = vectors.Length * Vector256<float>.Count; i < values.Length; i++)
        {
            sum += values[i];
        }

        return sum;
    }

    private static int Choose(ReadOnlySpan<float> weights, ReadOnlySpan<double> chunkSums, double target)
    {
        int chunk = 0;
        int lastWithWeight = 0;
        for (; chunk < chunkSums.Length; chunk++)
        {
            if (chunkSums[chunk] > 0)
            {
                lastWithWeight = chunk;
                if (target < chunkSums[chunk])
                {
                    break;
                }
            }

            target -= chunkSums[chunk];
        }

        int start = lastWithWeight * LogitsMath.ChunkSize;
        int end = Math.Min(start + LogitsMath.ChunkSize, weights.Length);
        int chosen = start;
        for (int token = start; token < end; token++)
        {
            if (weights[token] > 0)
            {
                // Rounding may leave a rest of the target behind the last token of the chunk: then that one is it.
                chosen = token;
                target -= weights[token];
                if (target < 0)
                {
                    break;
                }
            }
        }

        return chosen;
    }

    private static void AddLogprobs(ReadOnlySpan<float> logits, float max, int token, int top, int rowIndex, StepOutput output)
    {
        double logSumExp = LogitsMath.LogSumExp(logits, max);
        output.Logprobs[rowIndex] = (float)(logits[token] - logSumExp);
        top = Math.Min(top, logits.Length);
        if (top > 0)
        {
            Span<int> ids = output.TopIds.AsSpan(rowIndex * output.TopCount, top);
            LogitsMath.Top(logits, ids);
            Span<float> logprobs = output.TopLogprobs.AsSpan(rowIndex * output.TopCount, top);
            for (int i = 0; i < top; i++)
            {
                logprobs[i] = (float)(logits[ids[i]] - logSumExp);
            }
        }
    }
}
