using System.Text;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>Lower case, character by character (no final sigma).</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override string Normalize(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == 0x130)
            {
                // The one character whose full lower case is two.
                result.Append("i\u0307");
            }
            else
            {
                result.Append(new Rune(CharProperties.ToLower(rune.Value)).ToString());
            }
        }

        return result.ToString();
    }
}
