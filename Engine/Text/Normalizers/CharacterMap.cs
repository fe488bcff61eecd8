using System.Buffers.Binary;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>SentencePiece's compiled character map: a double-array trie over UTF-8 and a block of replacements.</summary>
/// <remarks>Layout: u32 bytes of the trie, the trie's u32 units, replacements each ended by a zero byte; all little endian (darts-clone).</remarks>
internal sealed class CharacterMap
{
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    /// <param name="map">The map as it lies in the file.</param>
    /// <param name="name">What the file calls it.</param>
    /// <exception cref="TokenizerFormatException">The map is truncated.</exception>
    public CharacterMap(ReadOnlySpan<byte> map, string name)
    {
        var trieBytes = map.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(map) : uint.MaxValue;
        if (trieBytes > map.Length - 4 || trieBytes % 4 != 0 || trieBytes == 0)
        {
            throw new TokenizerFormatException($"{name} holds {map.Length} bytes, less than its own header asks for; fetch the file again.");
        }

        _units = new uint[trieBytes / 4];
        for (var i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(map[(4 + (i * 4))..]);
        }

        _replacements = map[(4 + (int)trieBytes)..].ToArray();
    }

    /// <summary>Looks for a prefix of <paramref name="key"/> that has a mapping.</summary>
    /// <param name="longest">Whether to go on for longer ones once one is found.</param>
    /// <param name="replacement">UTF-8.</param>
    /// <returns>Bytes of the prefix; 0 when none has a mapping.</returns>
    public int Match(ReadOnlySpan<byte> key, bool longest, out ReadOnlySpan<byte> replacement)
    {
        replacement = default;
        var matched = 0;
        var position = Offset(_units[0]);
        for (var i = 0; i < key.Length && key[i] != 0; i++)
        {
            position ^= key[i];
            if (position >= (uint)_units.Length)
            {
                break;
            }

            var unit = _units[position];
            if ((unit & (0x80000000 | 0xFF)) != key[i])
            {
                break;
            }

            position ^= Offset(unit);
            if (((unit >> 8) & 1) == 1)
            {
                if (position < (uint)_units.Length && TryReadReplacement(_units[position] & 0x7FFFFFFF, out var found))
                {
                    matched = i + 1;
                    replacement = found;
                }

                if (!longest)
                {
                    break;
                }
            }
        }

        return matched;
    }

    private bool TryReadReplacement(uint start, out ReadOnlySpan<byte> replacement)
    {
        replacement = default;
        if (start >= _replacements.Length)
        {
            return false;
        }

        replacement = _replacements.AsSpan((int)start);
        var end = replacement.IndexOf((byte)0);
        replacement = end < 0 ? replacement : replacement[..end];
        return true;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1u << 9)) >> 6);
}
