namespace Fastgen.Engine.Text.Normalizers;

/// <summary>Puts text in front of or behind what is not empty.</summary>
internal sealed class AffixNormalizer(string prefix, string suffix) : Normalizer
{
    /// <inheritdoc/>
    public override string Normalize(string text) => text.Length == 0 ? text : prefix + text + suffix;
}
