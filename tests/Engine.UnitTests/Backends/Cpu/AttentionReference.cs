using Fastgen.Engine.Backends;
using Fastgen.Engine.Backends.Cpu;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

/// <summary>Attention the plain way, in float64, with every sequence's keys and values kept in lists.</summary>
internal sealed unsafe class AttentionReference(KvCacheLayout layout, RotaryFrequencies rotary, int? window, double? softCap = null, (float[] Query, float[] Key, float Epsilon)? norms = null)
{
    private const double Scale = 0.3f;

    private readonly Dictionary<(int Layer, int Sequence), List<(double[] Keys, double[] Values)>> _history = [];

    /// <returns>[tokens, heads × headDim]</returns>
    public double[] Run(Batch batch, int layer, CpuTensor qkv)
    {
        var (heads, keyValueHeads, headDim) = layout.Attention;
        var output = new double[batch.TokenCount * heads * headDim];
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            if (!_history.TryGetValue((layer, sequence), out var history))
            {
                _history[(layer, sequence)] = history = [];
            }

            for (var token = batch.QueryStarts[sequence]; token < batch.QueryStarts[sequence + 1]; token++)
            {
                var row = new Span<float>(qkv.Row(token), qkv.Columns).ToArray();
                var position = batch.Positions[token];
                var keys = new double[keyValueHeads * headDim];
                var values = new double[keyValueHeads * headDim];
                for (var head = 0; head < keyValueHeads; head++)
                {
                    Turn(Normed(row.AsSpan((heads + head) * headDim, headDim), norms?.Key), position).CopyTo(keys, head * headDim);
                    for (var d = 0; d < headDim; d++)
                    {
                        keys[(head * headDim) + d] = Round(keys[(head * headDim) + d]);
                        values[(head * headDim) + d] = Round(row[((heads + keyValueHeads + head) * headDim) + d]);
                    }
                }

                Assert.Equal(position, history.Count);
                history.Add((keys, values));
                for (var head = 0; head < heads; head++)
                {
                    var attended = Attend(Turn(Normed(row.AsSpan(head * headDim, headDim), norms?.Query), position), history, head / layout.Attention.GroupSize * headDim, position);
                    attended.CopyTo(output, ((token * heads) + head) * headDim);
                }
            }
        }

        return output;
    }

    private double[] Attend(double[] query, List<(double[] Keys, double[] Values)> history, int offset, int position)
    {
        var first = window is { } size ? Math.Max(0, position - size + 1) : 0;
        var weights = new double[position + 1 - first];
        for (var j = first; j <= position; j++)
        {
            for (var d = 0; d < query.Length; d++)
            {
                weights[j - first] += Scale * query[d] * history[j].Keys[offset + d];
            }

            if (softCap is { } cap)
            {
                weights[j - first] = cap * Math.Tanh(weights[j - first] / cap);
            }
        }

        var largest = weights.Max();
        var total = weights.Sum(weight => Math.Exp(weight - largest));
        var result = new double[query.Length];
        for (var j = first; j <= position; j++)
        {
            for (var d = 0; d < query.Length; d++)
            {
                result[d] += Math.Exp(weights[j - first] - largest) / total * history[j].Values[offset + d];
            }
        }

        return result;
    }

    private float[] Normed(ReadOnlySpan<float> head, float[]? weight)
    {
        var normed = head.ToArray();
        if (weight is not null)
        {
            var rms = Math.Sqrt(normed.Average(value => (double)value * value) + norms!.Value.Epsilon);
            for (var i = 0; i < normed.Length; i++)
            {
                normed[i] = (float)(normed[i] / rms * weight[i]);
            }
        }

        return normed;
    }

    private double[] Turn(ReadOnlySpan<float> head, int position)
    {
        // In fp32, since a key that falls between two halves must be rounded to the same one here and there.
        var half = rotary.RotaryDim / 2;
        var turned = new double[head.Length];
        for (var i = rotary.RotaryDim; i < head.Length; i++)
        {
            turned[i] = head[i];
        }

        var cosine = new float[half];
        var sine = new float[half];
        rotary.Angles(position, position + 1, cosine, sine);
        for (var i = 0; i < half; i++)
        {
            turned[i] = (head[i] * cosine[i]) - (head[i + half] * sine[i]);
            turned[i + half] = (head[i + half] * cosine[i]) + (head[i] * sine[i]);
        }

        return turned;
    }

    private double Round(double value)
    {
        var narrow = (float)value;
        ushort stored;
        switch (layout.Type)
        {
            case KvCacheType.Fp16:
                return (float)(Half)narrow;
            case KvCacheType.Bf16:
                BFloat16Element.StoreOne(narrow, (byte*)&stored);
                return BFloat16Element.LoadOne((byte*)&stored);
            default:
                return narrow;
        }
    }
}
