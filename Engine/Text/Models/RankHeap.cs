using System.Buffers;

namespace Fastgen.Engine.Text.Models;

/// <summary>A binary heap of (rank, position), lowest first.</summary>
internal ref struct RankHeap(int capacity)
{
    private ulong[] _items = ArrayPool<ulong>.Shared.Rent(Math.Max(capacity, 16));
    private int _count;

    public void Push(int rank, int position)
    {
        if (_count == _items.Length)
        {
            var larger = ArrayPool<ulong>.Shared.Rent(_items.Length * 2);
            _items.AsSpan(0, _count).CopyTo(larger);
            ArrayPool<ulong>.Shared.Return(_items);
            _items = larger;
        }

        var item = ((ulong)(uint)rank << 32) | (uint)position;
        var i = _count++;
        while (i > 0 && _items[(i - 1) >> 1] > item)
        {
            _items[i] = _items[(i - 1) >> 1];
            i = (i - 1) >> 1;
        }

        _items[i] = item;
    }

    public bool TryPop(out int rank, out int position)
    {
        if (_count == 0)
        {
            rank = position = -1;
            return false;
        }

        var top = _items[0];
        rank = (int)(top >> 32);
        position = (int)(top & uint.MaxValue);
        var last = _items[--_count];
        var i = 0;
        while (true)
        {
            var child = (2 * i) + 1;
            if (child >= _count)
            {
                break;
            }

            child += child + 1 < _count && _items[child + 1] < _items[child] ? 1 : 0;
            if (_items[child] >= last)
            {
                break;
            }

            _items[i] = _items[child];
            i = child;
        }

        _items[i] = last;
        return true;
    }

    /// <summary>Gives back what was borrowed.</summary>
    public readonly void Dispose() => ArrayPool<ulong>.Shared.Return(_items);
}
