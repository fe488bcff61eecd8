namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>A stretch of <paramref name="Source"/>.</summary>
/// <param name="Start">UTF-16 units.</param>
/// <param name="Length">UTF-16 units.</param>
/// <param name="AtStart">Whether it begins where the whole input begins; Metaspace's scheme <c>first</c> asks.</param>
internal readonly record struct Piece(string Source, int Start, int Length, bool AtStart)
{
    public ReadOnlySpan<char> Text => Source.AsSpan(Start, Length);
}
