namespace Fastgen.Engine.Sampling;

/// <summary>The last token that is kept when tokens stand in order: higher logit first, of equal ones the lower id first.</summary>
internal readonly record struct TokenCut(float Logit, int TokenId)
{
    /// <summary>Keeps every token.</summary>
    public static TokenCut None => new(float.NegativeInfinity, int.MaxValue);

    public bool Keeps(float logit, int tokenId) => logit > Logit || (logit == Logit && tokenId <= TokenId);
}
