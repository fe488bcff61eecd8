using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Sampling;

/// <summary>Penalties, bias and forbidden tokens: what changes logits before a token is chosen.</summary>
internal static class LogitsAdjustment
{
    public static bool IsNeeded(SampleRow row)
    {
        SamplingParameters parameters = row.Parameters;
        return parameters.RepetitionPenalty != 1 || parameters.PresencePenalty != 0 || parameters.FrequencyPenalty != 0
            || parameters.LogitBias is { Count: > 0 } || !row.BannedTokens.IsEmpty;
    }

    /// <returns>[vocabulary] a changed copy, in the scratch.</returns>
    public static Span<float> Apply(SampleRow row, ReadOnlySpan<float> raw, SamplerScratch scratch)
    {
        SamplingParameters parameters = row.Parameters;
        Span<float> logits = scratch.Logits(raw.Length);
        raw.CopyTo(logits);
        ReadOnlySpan<int> history = row.History.Span;
        Span<int> counts = scratch.Counts(raw.Length);
        if (parameters.RepetitionPenalty != 1)
        {
            Repetition(parameters.RepetitionPenalty, history, logits, counts);
        }

        if (parameters.PresencePenalty != 0 || parameters.FrequencyPenalty != 0)
        {
            PresenceAndFrequency(parameters, history[row.PromptTokens..], logits, counts);
        }

        Bias(parameters.LogitBias, logits);
        foreach (int token in row.BannedTokens.Span)
        {
            logits[token] = float.NegativeInfinity;
        }

        return logits;
    }

    private static void Repetition(float penalty, ReadOnlySpan<int> tokens, Span<float> logits, Span<int> seen)
    {
        foreach (int token in tokens)
        {
            if (seen[token]++ == 0)
            {
                logits[token] = logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty;
            }
        }

        foreach (int token in tokens)
        {
            seen[token] = 0;
        }
    }

    private static void PresenceAndFrequency(SamplingParameters parameters, ReadOnlySpan<int> outputs, Span<float> logits, Span<int> counts)
    {
        foreach (int token in outputs)
        {
            counts[token]++;
        }

        foreach (int token in outputs)
        {
            if (counts[token] > 0)
            {
                logits[token] -= parameters.PresencePenalty + (parameters.FrequencyPenalty * counts[token]);
                counts[token] = 0;
            }
        }
    }

    private static void Bias(IReadOnlyDictionary<int, float>? bias, Span<float> logits)
    {
        if (bias is Dictionary<int, float> dictionary)
        {
            // Its enumerator is a struct; the interface's would be allocated for every token.
            foreach ((int token, float value) in dictionary)
            {
                logits[token] += value;
            }
        }
        else if (bias is not null)
        {
            foreach ((int token, float value) in bias)
            {
                logits[token] += value;
            }
        }
    }
}
