using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace Fastgen.Engine.Text.Models;

/// <summary>Tokens as UTF-8 in one block of memory, with their ids; a hash table finds them without making strings.</summary>
internal sealed class Vocabulary
{
    /// <summary>Ids above this are refused, so that a hostile file cannot ask for tables of any size.</summary>
    public const int MaxId = (1 << 24) - 1;

    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64();
    private byte[] _bytes = new byte[1 << 12];
    private int _byteCount;
    private Entry[] _entries = new Entry[1 << 8];
    private int _entryCount;
    private int[] _slots = new int[1 << 10];
    private int[] _entryOfId = [];

    /// <summary>Number of different tokens.</summary>
    public int Count => _entryCount;

    /// <summary>Highest id, or -1.</summary>
    public int HighestId { get; private set; } = -1;

    /// <summary>Adds a token; a token that is known takes the new id.</summary>
    public void Add(ReadOnlySpan<byte> token, int id)
    {
        HighestId = Math.Max(HighestId, id);
        ref var slot = ref FindSlot(token);
        if (slot != 0)
        {
            _entries[slot - 1] = _entries[slot - 1] with { Id = id };
            return;
        }

        if (_byteCount + token.Length > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _byteCount + token.Length));
        }

        if (_entryCount == _entries.Length)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
        }

        token.CopyTo(_bytes.AsSpan(_byteCount));
        _entries[_entryCount++] = new Entry(_byteCount, token.Length, id);
        _byteCount += token.Length;
        slot = _entryCount;
        if (_entryCount * 2 > _slots.Length)
        {
            Rehash();
        }
    }

    /// <summary>Ends filling: ids can be looked up from here on.</summary>
    public void Seal()
    {
        _entryOfId = new int[HighestId + 1];
        for (var i = 0; i < _entryCount; i++)
        {
            _entryOfId[_entries[i].Id] = i + 1;
        }
    }

    /// <summary>The id of a token, or -1.</summary>
    public int IdOf(ReadOnlySpan<byte> token)
    {
        var slot = FindSlot(token);
        return slot == 0 ? -1 : _entries[slot - 1].Id;
    }

    /// <summary>The id of a token, or -1.</summary>
    public int IdOf(string token) => IdOf(token.AsSpan());

    /// <summary>The id of a token, or -1.</summary>
    public int IdOf(ReadOnlySpan<char> token)
    {
        var maxBytes = Encoding.UTF8.GetMaxByteCount(token.Length);
        var utf8 = maxBytes <= 512 ? stackalloc byte[512] : new byte[maxBytes];
        return IdOf((ReadOnlySpan<byte>)utf8[..Encoding.UTF8.GetBytes(token, utf8)]);
    }

    /// <summary>The token of an id; false when there is none.</summary>
    public bool TryGetToken(int id, out ReadOnlySpan<byte> token)
    {
        if ((uint)id >= (uint)_entryOfId.Length || _entryOfId[id] == 0)
        {
            token = default;
            return false;
        }

        var entry = _entries[_entryOfId[id] - 1];
        token = _bytes.AsSpan(entry.Start, entry.Length);
        return true;
    }

    private ref int FindSlot(ReadOnlySpan<byte> token)
    {
        var mask = _slots.Length - 1;
        for (var i = (int)Hash(token) & mask; ; i = (i + 1) & mask)
        {
            ref var slot = ref _slots[i];
            if (slot == 0)
            {
                return ref slot;
            }

            ref readonly var entry = ref _entries[slot - 1];
            if (entry.Length == token.Length && token.SequenceEqual(_bytes.AsSpan(entry.Start, entry.Length)))
            {
                return ref slot;
            }
        }
    }

    private void Rehash()
    {
        _slots = new int[_slots.Length * 4];
        var mask = _slots.Length - 1;
        for (var e = 0; e < _entryCount; e++)
        {
            var i = (int)Hash(_bytes.AsSpan(_entries[e].Start, _entries[e].Length)) & mask;
            while (_slots[i] != 0)
            {
                i = (i + 1) & mask;
            }

            _slots[i] = e + 1;
        }
    }

    private static uint Hash(ReadOnlySpan<byte> token)
    {
        var hash = Seed ^ (ulong)token.Length;
        while (token.Length >= 8)
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(token));
            token = token[8..];
        }

        var tail = 0UL;
        for (var i = 0; i < token.Length; i++)
        {
            tail |= (ulong)token[i] << (8 * i);
        }

        return (uint)(Mix(hash ^ tail) >> 20);
    }

    private static ulong Mix(ulong value)
    {
        var high = Math.BigMul(value, 0xA0761D6478BD642F, out var low);
        return BitOperations.RotateLeft(high ^ low, 23) + 0xE7037ED1A0B428DB;
    }

    private readonly record struct Entry(int Start, int Length, int Id);
}
