using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>Maps each byte of UTF-8 to its character of the byte-level alphabet.</summary>
internal sealed class ByteLevelNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override string Normalize(string text) => ByteAlphabet.Map(text);
}
