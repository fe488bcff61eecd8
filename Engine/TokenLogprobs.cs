namespace Fastgen.Engine;

/// <summary>A generated token's log probability, and the most likely alternatives at its place.</summary>
/// <param name="TokenId">The token that was chosen.</param>
/// <param name="Logprob">Natural logarithm of its probability, by the raw logits.</param>
/// <param name="Top">Best first; as many as were asked for.</param>
public sealed record TokenLogprobs(int TokenId, float Logprob, IReadOnlyList<TokenLogprob> Top);
