namespace Fastgen.Engine;

/// <summary>A token and the natural logarithm of its probability.</summary>
public readonly record struct TokenLogprob(int TokenId, float Logprob);
