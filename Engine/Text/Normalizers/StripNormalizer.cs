using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>Removes white space at the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    /// <inheritdoc/>
    public override string Normalize(string text)
    {
        int start = 0, end = text.Length;
        while (left && start < end && CharProperties.IsWhiteSpace(text[start]))
        {
            start++;
        }

        while (right && end > start && CharProperties.IsWhiteSpace(text[end - 1]))
        {
            end--;
        }

        return text[start..end];
    }
}
