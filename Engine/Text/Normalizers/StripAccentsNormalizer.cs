using System.Text;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>Removes combining marks; what is composed stays.</summary>
internal sealed class StripAccentsNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override string Normalize(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (!CharProperties.IsMark(rune.Value))
            {
                result.Append(rune.ToString());
            }
        }

        return result.Length == text.Length ? text : result.ToString();
    }
}
