namespace Fastgen.Engine.Text.Normalizers;

/// <summary>Rewrites text before it is cut into pieces.</summary>
internal abstract class Normalizer
{
    /// <summary>The rewritten text; the same instance when nothing changes.</summary>
    public abstract string Normalize(string text);

    /// <summary>The rewritten text of a part between added tokens.</summary>
    /// <param name="atStart">Whether the part begins the whole text.</param>
    public virtual string Normalize(string text, bool atStart) => Normalize(text);
}
