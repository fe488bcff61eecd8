using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.UnitTests.Doubles;

/// <summary>A "model" whose next token is a hash of all tokens so far and the sequence's seed: any wrong token, position or block changes everything after it.</summary>
internal static class HashModel
{
    public static int NextToken(ReadOnlySpan<int> tokens, ulong seed, int vocabularySize)
    {
        ulong hash = seed ^ 0xCBF29CE484222325;
        foreach (int token in tokens)
        {
            hash = (hash ^ (uint)token) * 0x100000001B3;
            hash ^= hash >> 29;
        }

        return (int)(hash % (ulong)vocabularySize);
    }

    /// <summary>What one sequence generates when it runs alone, without any engine.</summary>
    public static (List<int> Tokens, EngineFinishReason Reason) Reference(
        int[] prompt, ulong seed, SamplingParameters sampling, int[] endOfSequence, int contextTokens, int vocabularySize)
    {
        var all = new List<int>(prompt);
        var output = new List<int>();
        int limit = Math.Min(sampling.MaxTokens ?? int.MaxValue, contextTokens - prompt.Length);
        while (true)
        {
            int token = NextToken(all.ToArray(), seed, vocabularySize);
            all.Add(token);
            output.Add(token);
            if (sampling.StopTokenIds.Contains(token) || (!sampling.IgnoreEos && endOfSequence.Contains(token)))
            {
                return (output, EngineFinishReason.Stop);
            }

            if (output.Count >= limit)
            {
                return (output, EngineFinishReason.Length);
            }
        }
    }
}
