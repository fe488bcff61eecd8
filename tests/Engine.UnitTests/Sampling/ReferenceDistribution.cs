using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.UnitTests.Sampling;

/// <summary>The documented order of sampling, written plainly in float64 with a full sort.</summary>
internal static class ReferenceDistribution
{
    public static double[] Of(float[] logits, SamplingParameters parameters, int[] history, int promptTokens, int[] banned)
    {
        double[] x = Array.ConvertAll(logits, value => (double)value);
        foreach (int token in history.Distinct())
        {
            x[token] = x[token] > 0 ? x[token] / parameters.RepetitionPenalty : x[token] * parameters.RepetitionPenalty;
        }

        foreach (IGrouping<int, int> group in history.Skip(promptTokens).GroupBy(token => token))
        {
            x[group.Key] -= parameters.PresencePenalty + (parameters.FrequencyPenalty * group.Count());
        }

        foreach ((int token, float bias) in parameters.LogitBias ?? new Dictionary<int, float>())
        {
            x[token] += bias;
        }

        foreach (int token in banned)
        {
            x[token] = double.NegativeInfinity;
        }

        int[] order = [.. Enumerable.Range(0, x.Length).OrderByDescending(token => x[token]).ThenBy(token => token)];
        double max = x[order[0]];
        double[] p = Array.ConvertAll(x, value => Math.Exp((value - max) / parameters.Temperature));
        int kept = parameters.TopK > 0 ? Math.Min(parameters.TopK, order.Length) : order.Length;
        Cut(p, order, kept);
        double total = p.Sum();
        double sum = 0;
        for (int i = 0; parameters.TopP < 1 && i < kept; i++)
        {
            sum += p[order[i]];
            if (sum >= parameters.TopP * total)
            {
                Cut(p, order, i + 1);
                break;
            }
        }

        double floor = parameters.MinP * p.Max();
        for (int i = 0; i < p.Length; i++)
        {
            p[i] = p[i] < floor ? 0 : p[i];
        }

        total = p.Sum();
        return Array.ConvertAll(p, value => value / total);
    }

    private static void Cut(double[] p, int[] order, int kept)
    {
        foreach (int token in order.Skip(kept))
        {
            p[token] = 0;
        }
    }
}
