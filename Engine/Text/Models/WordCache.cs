using System.Runtime.InteropServices;

namespace Fastgen.Engine.Text.Models;

/// <summary>Remembers the ids of short words. A newer word takes the slot of an older one, so its size is bounded.</summary>
internal sealed class WordCache
{
    /// <summary>Longer words are not remembered, UTF-16 units.</summary>
    public const int MaxWordLength = 48;

    private const int SlotCount = 1 << 16;
    private readonly Entry?[] _slots = new Entry?[SlotCount];

    /// <summary>Appends the ids of a remembered word.</summary>
    public bool TryAppend(ReadOnlySpan<char> word, uint hash, List<int> ids)
    {
        var entry = Volatile.Read(ref _slots[hash & (SlotCount - 1)]);
        if (entry is null || entry.Hash != hash || !word.SequenceEqual(entry.Word))
        {
            return false;
        }

        if (entry.Ids.Length == 1)
        {
            ids.Add(entry.Ids[0]);
        }
        else
        {
            ids.AddRange(entry.Ids);
        }

        return true;
    }

    /// <summary>Remembers a word.</summary>
    public void Store(ReadOnlySpan<char> word, uint hash, ReadOnlySpan<int> ids) =>
        Volatile.Write(ref _slots[hash & (SlotCount - 1)], new Entry(hash, word.ToString(), ids.ToArray()));

    /// <summary>The hash by which words are kept.</summary>
    public static uint Hash(ReadOnlySpan<char> word)
    {
        var bytes = MemoryMarshal.AsBytes(word);
        var hash = (ulong)word.Length * 0x9E3779B97F4A7C15;
        while (bytes.Length >= 8)
        {
            hash = Fold(hash ^ MemoryMarshal.Read<ulong>(bytes));
            bytes = bytes[8..];
        }

        var tail = 0UL;
        for (var i = 0; i < bytes.Length; i += 2)
        {
            tail = (tail << 16) | MemoryMarshal.Read<ushort>(bytes[i..]);
        }

        return (uint)Fold(hash ^ tail);
    }

    private static ulong Fold(ulong value)
    {
        var high = Math.BigMul(value, 0xD6E8FEB86659FD93, out var low);
        return high ^ low;
    }

    private sealed record Entry(uint Hash, string Word, int[] Ids);
}
