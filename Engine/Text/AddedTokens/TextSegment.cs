namespace Fastgen.Engine.Text.AddedTokens;

/// <summary>A stretch of text between added tokens, or an added token.</summary>
/// <param name="TokenId">-1: text.</param>
internal readonly record struct TextSegment(int Start, int Length, int TokenId);
