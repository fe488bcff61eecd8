namespace Fastgen.Engine.Text.PreTokenizers;

/// <summary>Cuts pieces of text into smaller ones.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Appends what <paramref name="piece"/> is cut into; empty pieces may be left out.</summary>
    public abstract void Split(Piece piece, List<Piece> output);
}
