using System.Runtime.CompilerServices;

namespace Fastgen.Engine.Sampling;

/// <summary>Finds where top-k and top-p cut the vocabulary, without sorting it.</summary>
/// <remarks>Tokens are counted into buckets of equal width between the largest and the smallest logit. The bucket in which
/// the limit falls is the only one whose members are sorted.</remarks>
internal readonly ref struct TokenFilter
{
    // Logits further below the largest share the last bucket, so that one outlier does not push all others into the first.
    private const float Range = 40;

    private readonly ReadOnlySpan<float> _logits;
    private readonly ReadOnlySpan<float> _weights;
    private readonly float _max;
    private readonly float _scale;
    private readonly SamplerScratch _scratch;

    /// <param name="logits">[vocabulary]</param>
    /// <param name="weights">[vocabulary] not normalised, in the order of the logits</param>
    /// <param name="max">Largest logit.</param>
    /// <param name="min">A logit that few are below; those share the last bucket.</param>
    public TokenFilter(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float max, float min, SamplerScratch scratch)
    {
        _logits = logits;
        _weights = weights;
        _max = max;
        _scale = max > min ? SamplerScratch.BucketCount / Math.Min(max - min, Range) : 0;
        _scratch = scratch;
        int[] counts = scratch.BucketCounts;
        double[] sums = scratch.BucketWeights;
        Array.Clear(counts);
        Array.Clear(sums);
        for (int i = 0; i < logits.Length; i++)
        {
            int bucket = Bucket(logits[i]);
            counts[bucket]++;
            sums[bucket] += weights[i];
        }
    }

    /// <summary>Keeps the k largest (0: all), then of these the fewest whose weights reach the share p of theirs together.</summary>
    public TokenCut Find(int topK, float topP)
    {
        TokenCut cut = TokenCut.None;
        double total = 0;
        if (topK > 0 && topK < _logits.Length)
        {
            (cut, total) = CutAtCount(topK);
        }
        else
        {
            foreach (double sum in _scratch.BucketWeights)
            {
                total += sum;
            }
        }

        return topP < 1 ? CutAtWeight(topP * total, cut) : cut;
    }

    private (TokenCut Cut, double KeptWeight) CutAtCount(int count)
    {
        double kept = 0;
        int bucket = 0;
        for (; count > _scratch.BucketCounts[bucket]; bucket++)
        {
            count -= _scratch.BucketCounts[bucket];
            kept += _scratch.BucketWeights[bucket];
        }

        Span<ulong> members = SortedMembers(bucket);
        for (int i = 0; i < count; i++)
        {
            kept += _weights[TokenOf(members[i])];
        }

        int last = TokenOf(members[count - 1]);
        return (new TokenCut(_logits[last], last), kept);
    }

    private TokenCut CutAtWeight(double target, TokenCut within)
    {
        double kept = 0;
        int bucket = 0;
        int lastBucket = within == TokenCut.None ? SamplerScratch.BucketCount - 1 : Bucket(within.Logit);
        for (; bucket < lastBucket && kept + _scratch.BucketWeights[bucket] < target; bucket++)
        {
            kept += _scratch.BucketWeights[bucket];
        }

        foreach (ulong member in SortedMembers(bucket))
        {
            int token = TokenOf(member);
            kept += _weights[token];
            TokenCut cut = new(_logits[token], token);
            if (kept >= target || cut == within)
            {
                return cut;
            }
        }

        // Rounding left the sum a hair below the target: everything down to here is kept.
        return within;
    }

    /// <summary>The members of a bucket, best first: the logit's bits, turned so that they sort from high to low, above the token id.</summary>
    private Span<ulong> SortedMembers(int bucket)
    {
        Span<ulong> members = _scratch.Members(_scratch.BucketCounts[bucket]);
        int found = 0;
        for (int i = 0; i < _logits.Length && found < members.Length; i++)
        {
            if (Bucket(_logits[i]) == bucket)
            {
                // + 0f turns -0 into 0: equal logits must have equal bits.
                uint bits = BitConverter.SingleToUInt32Bits(_logits[i] + 0f);
                uint ascending = (bits & 0x80000000) != 0 ? ~bits : bits | 0x80000000;
                members[found++] = ((ulong)~ascending << 32) | (uint)i;
            }
        }

        members.Sort();
        return members;
    }

    private static int TokenOf(ulong member) => (int)(uint)member;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Bucket(float logit) => Math.Min((int)((_max - logit) * _scale), SamplerScratch.BucketCount - 1);
}
