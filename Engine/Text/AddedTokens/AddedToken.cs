namespace Fastgen.Engine.Text.AddedTokens;

/// <summary>A token that is looked for in the text before the model sees it.</summary>
/// <param name="SingleWord">Only where no word character stands beside it.</param>
/// <param name="StripLeft">Swallows the white space before it.</param>
/// <param name="StripRight">Swallows the white space behind it.</param>
/// <param name="Normalized">Looked for in the normalized text, itself normalized.</param>
/// <param name="Special">Left out of decoded text when asked.</param>
internal sealed record AddedToken(string Content, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized, bool Special)
{
    /// <summary>The id that its file insists on; null where the vocabulary and the order decide.</summary>
    public int? FixedId { get; init; }
}
