using System.Globalization;
using System.Text;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>SentencePiece's compiled character map: a double-array trie over UTF-8 and a block of replacements.</summary>
/// <remarks>Layout: u32 bytes of the trie, the trie's u32 units, replacements each ended by a zero byte; all little endian (darts-clone).</remarks>
internal sealed class PrecompiledNormalizer : Normalizer
{
    // Longer grapheme clusters are mapped character by character, as the reference does.
    private const int MaxClusterBytes = 6;
    private readonly CharacterMap _map;

    /// <exception cref="TokenizerFormatException">The map is truncated.</exception>
    public PrecompiledNormalizer(ReadOnlySpan<byte> map) => _map = new CharacterMap(map, "normalizer.precompiled_charsmap");

    /// <inheritdoc/>
    public override string Normalize(string text)
    {
        var result = new StringBuilder(text.Length);
        Span<byte> utf8 = stackalloc byte[8];
        var changed = false;
        for (var i = 0; i < text.Length;)
        {
            var length = ClusterLength(text, i);
            var cluster = text.AsSpan(i, length);
            i += length;
            if (cluster.Length < MaxClusterBytes && Encoding.UTF8.GetByteCount(cluster) < MaxClusterBytes
                && TryMap(utf8[..Encoding.UTF8.GetBytes(cluster, utf8)], out var mapped))
            {
                result.Append(mapped);
                changed = true;
                continue;
            }

            foreach (var rune in cluster.EnumerateRunes())
            {
                if (TryMap(utf8[..rune.EncodeToUtf8(utf8)], out mapped))
                {
                    result.Append(mapped);
                    changed = true;
                }
                else
                {
                    result.Append(rune.ToString());
                }
            }
        }

        return changed ? result.ToString() : text;
    }

    private static int ClusterLength(string text, int start)
    {
        // Two ASCII characters form a cluster only as a line break; this spares the table look-ups for most text.
        var plain = text[start] < 0x80 && (start + 1 == text.Length || text[start + 1] < 0x80) && text[start] != '\r';
        return plain ? 1 : StringInfo.GetNextTextElementLength(text, start);
    }

    // The shortest prefix with a mapping decides for all of it: odd, but so the reference has it.
    private bool TryMap(ReadOnlySpan<byte> key, out string mapped)
    {
        var matched = _map.Match(key, longest: false, out var replacement);
        mapped = matched > 0 ? Encoding.UTF8.GetString(replacement) : "";
        return matched > 0;
    }
}
