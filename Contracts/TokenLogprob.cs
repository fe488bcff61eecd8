namespace Fastgen.Contracts;

/// <summary>A token with its log probability, and the most likely alternatives at its place.</summary>
/// <param name="TokenId">Id in the model's vocabulary.</param>
/// <param name="Token">The token's text; bytes that are no UTF-8 are shown as U+FFFD.</param>
/// <param name="Bytes">The token's raw bytes.</param>
/// <param name="Logprob">Natural logarithm.</param>
/// <param name="Top">Best first; null inside an alternative.</param>
public sealed record TokenLogprob(int TokenId, string Token, byte[] Bytes, float Logprob, IReadOnlyList<TokenLogprob>? Top);
