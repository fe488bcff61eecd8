namespace Fastgen.Engine.Text.Normalizers;

/// <summary>One normalizer after the other.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<Normalizer> parts) : Normalizer
{
    /// <inheritdoc/>
    public override string Normalize(string text)
    {
        foreach (var part in parts)
        {
            text = part.Normalize(text);
        }

        return text;
    }
}
