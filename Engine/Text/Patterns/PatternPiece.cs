namespace Fastgen.Engine.Text.Patterns;

/// <summary>A stretch of text, in UTF-16 units.</summary>
internal readonly record struct PatternPiece(int Start, int End, bool IsMatch);
