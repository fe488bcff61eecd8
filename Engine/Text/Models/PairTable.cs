using System.Numerics;

namespace Fastgen.Engine.Text.Models;

/// <summary>A hash table from pairs of non-negative integers to pairs of integers, open addressing, for reading by many threads.</summary>
internal sealed class PairTable
{
    private const ulong Vacant = ulong.MaxValue;

    // A fresh factor per process, so that no file can be written to make all its pairs collide.
    private static readonly ulong Factor = (ulong)Random.Shared.NextInt64() | 1;
    private Slot[] _slots;
    private int _shift;
    private int _count;

    public PairTable(int expected)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, expected * 2));
        _slots = Allocate(size);
        _shift = 64 - BitOperations.Log2((uint)size);
    }

    /// <summary>Looks a pair up.</summary>
    public bool TryGet(int left, int right, out int first, out int second)
    {
        var key = Key(left, right);
        var mask = _slots.Length - 1;
        for (var i = Place(key); ; i = (i + 1) & mask)
        {
            ref readonly var slot = ref _slots[i];
            if (slot.Key == key)
            {
                first = slot.First;
                second = slot.Second;
                return true;
            }

            if (slot.Key == Vacant)
            {
                first = second = -1;
                return false;
            }
        }
    }

    /// <summary>Sets the value of a pair; the last one stays.</summary>
    public void Set(int left, int right, int first, int second)
    {
        if (_count * 3 >= _slots.Length * 2)
        {
            Grow();
        }

        Insert(new Slot(Key(left, right), first, second));
    }

    /// <summary>Whether <paramref name="holds"/> holds for any pair.</summary>
    public bool AnyKey(Func<int, int, bool> holds)
    {
        foreach (ref readonly var slot in _slots.AsSpan())
        {
            if (slot.Key != Vacant && holds((int)(slot.Key >> 32), (int)(slot.Key & uint.MaxValue)))
            {
                return true;
            }
        }

        return false;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Place(ulong key) => (int)((BitOperations.RotateLeft(key * 0x9E3779B97F4A7C15, 29) * Factor) >> _shift);

    private void Insert(Slot slot)
    {
        var mask = _slots.Length - 1;
        var i = Place(slot.Key);
        while (_slots[i].Key != Vacant && _slots[i].Key != slot.Key)
        {
            i = (i + 1) & mask;
        }

        _count += _slots[i].Key == Vacant ? 1 : 0;
        _slots[i] = slot;
    }

    private void Grow()
    {
        var old = _slots;
        _slots = Allocate(old.Length * 2);
        _shift--;
        _count = 0;
        foreach (var slot in old)
        {
            if (slot.Key != Vacant)
            {
                Insert(slot);
            }
        }
    }

    private static Slot[] Allocate(int size)
    {
        var slots = new Slot[size];
        Array.Fill(slots, new Slot(Vacant, -1, -1));
        return slots;
    }

    private readonly record struct Slot(ulong Key, int First, int Second);
}
