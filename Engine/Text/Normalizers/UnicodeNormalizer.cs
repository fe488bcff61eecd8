using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>NFC, NFD, NFKC or NFKD.</summary>
internal sealed class UnicodeNormalizer(bool compatible, bool compose) : Normalizer
{
    /// <inheritdoc/>
    public override string Normalize(string text) => Normalization.Normalize(text, compatible, compose);
}
