using System.Globalization;
using Fastgen.Engine.Text.Unicode;

namespace Fastgen.Engine.Text.Patterns;

/// <summary>A set of code points: ranges, properties and other sets, with a table for each block of the first plane once it is asked for.</summary>
internal sealed class CodePointSet
{
    private readonly Func<int, bool> _predicate;
    private readonly ulong _asciiLow, _asciiHigh;
    private readonly ulong[]?[] _blocks = new ulong[256][];

    private CodePointSet(Func<int, bool> predicate)
    {
        _predicate = predicate;
        for (var i = 0; i < 64; i++)
        {
            _asciiLow |= predicate(i) ? 1UL << i : 0;
            _asciiHigh |= predicate(i + 64) ? 1UL << i : 0;
        }
    }

    /// <summary>The set of code points for which <paramref name="predicate"/> holds.</summary>
    public static CodePointSet Where(Func<int, bool> predicate) => new(predicate);

    /// <summary>One code point.</summary>
    public static CodePointSet Single(int codePoint) => new(c => c == codePoint);

    /// <summary>An inclusive range.</summary>
    public static CodePointSet Range(int first, int last) => new(c => c >= first && c <= last);

    /// <summary>General categories.</summary>
    public static CodePointSet Categories(params UnicodeCategory[] categories)
    {
        var mask = categories.Aggregate(0u, (bits, category) => bits | (1u << (int)category));
        return new(c => ((mask >> (int)CharUnicodeInfo.GetUnicodeCategory(c)) & 1) != 0);
    }

    /// <summary>The union of sets.</summary>
    public static CodePointSet Union(IReadOnlyList<CodePointSet> sets)
    {
        if (sets.Count == 1)
        {
            return sets[0];
        }

        var parts = sets.ToArray();
        return new(c => Array.Exists(parts, part => part.Contains(c)));
    }

    /// <summary>The intersection with another set.</summary>
    public CodePointSet And(CodePointSet other) => new(c => Contains(c) && other.Contains(c));

    /// <summary>Everything else.</summary>
    public CodePointSet Not() => new(c => !Contains(c));

    /// <summary>The set with every code point that differs from one of its own in case alone.</summary>
    public CodePointSet IgnoringCase() => new(c =>
        Contains(c) || Contains(CharProperties.ToLower(c)) || Contains(CharProperties.ToUpper(c)) || Contains(CharProperties.Fold(c))
        || (CharProperties.Fold(c) switch
        {
            's' => Contains(0x17F),
            'k' => Contains(0x212A),
            0xE5 => Contains(0x212B),
            0x3C9 => Contains(0x2126),
            _ => false,
        }));

    /// <summary>Whether the set holds <paramref name="codePoint"/>.</summary>
    public bool Contains(int codePoint)
    {
        if (codePoint < 64)
        {
            return ((_asciiLow >> codePoint) & 1) != 0;
        }

        if (codePoint < 128)
        {
            return ((_asciiHigh >> (codePoint - 64)) & 1) != 0;
        }

        if (codePoint >= 0x10000)
        {
            return _predicate(codePoint);
        }

        // Racing threads build equal blocks; the last one stays.
        var block = _blocks[codePoint >> 8] ??= BuildBlock(codePoint & ~0xFF);
        return ((block[(codePoint >> 6) & 3] >> (codePoint & 63)) & 1) != 0;
    }

    private ulong[] BuildBlock(int first)
    {
        var block = new ulong[4];
        for (var c = 0; c < 256; c++)
        {
            if (_predicate(first + c))
            {
                block[c >> 6] |= 1UL << (c & 63);
            }
        }

        return block;
    }
}
