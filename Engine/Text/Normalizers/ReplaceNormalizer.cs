using Fastgen.Engine.Text.Patterns;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>Replaces every match of a pattern.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : Normalizer
{
    /// <inheritdoc/>
    public override string Normalize(string text) => text.Length == 0 ? text : pattern.Replace(text, content);
}
