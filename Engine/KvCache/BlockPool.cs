namespace Fastgen.Engine.KvCache;

/// <summary>Hands out the KV blocks of a device, counts who uses each, and remembers the content of full ones.</summary>
/// <remarks>A published block that nobody uses stays findable until it is needed for something else, oldest first.
/// Integers only; not thread-safe: it belongs to the engine loop.</remarks>
internal sealed class BlockPool
{
    private readonly int[] _references;
    private readonly int[] _unused;
    private readonly UInt128[] _hashes;
    private readonly bool[] _published;
    private readonly Dictionary<UInt128, int> _byHash;

    // Intrusive list of published blocks without users, least recently used first. Index Count is its head and tail.
    private readonly int[] _previous;
    private readonly int[] _next;
    private int _unusedCount;
    private int _idleCount;

    public BlockPool(int blockCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockCount, 1);
        Count = blockCount;
        _references = new int[blockCount];
        _unused = new int[blockCount];
        _hashes = new UInt128[blockCount];
        _published = new bool[blockCount];
        _byHash = new Dictionary<UInt128, int>(blockCount);
        _previous = new int[blockCount + 1];
        _next = new int[blockCount + 1];
        _previous[blockCount] = blockCount;
        _next[blockCount] = blockCount;
        for (int i = 0; i < blockCount; i++)
        {
            _unused[i] = blockCount - 1 - i;
        }

        _unusedCount = blockCount;
    }

    /// <summary>All blocks of the device.</summary>
    public int Count { get; }

    /// <summary>Blocks that nobody uses, findable ones included.</summary>
    public int FreeCount => _unusedCount + _idleCount;

    /// <summary>Blocks whose content can be found by its hash.</summary>
    public int PublishedCount => _byHash.Count;

    public int References(int block) => _references[block];

    /// <summary>Takes a block nobody uses, with one reference.</summary>
    public bool TryAllocate(out int block)
    {
        if (_unusedCount > 0)
        {
            block = _unused[--_unusedCount];
        }
        else if (_idleCount > 0)
        {
            block = _next[Count];
            Unlink(block);
            Forget(block);
        }
        else
        {
            block = 0;
            return false;
        }

        _references[block] = 1;
        return true;
    }

    /// <summary>One more user of a block that is in use, or that <see cref="TryFind"/> found.</summary>
    public void AddReference(int block)
    {
        if (_references[block]++ == 0)
        {
            if (!_published[block])
            {
                _references[block] = 0;
                throw new InvalidOperationException($"Block {block} is free; allocate it instead of adding a reference.");
            }

            Unlink(block);
        }
    }

    /// <summary>One user fewer.</summary>
    public void Release(int block)
    {
        if (_references[block] <= 0)
        {
            throw new InvalidOperationException($"Block {block} was released more often than it was taken.");
        }

        if (--_references[block] > 0)
        {
            return;
        }

        if (_published[block])
        {
            int last = _previous[Count];
            _next[last] = block;
            _previous[block] = last;
            _next[block] = Count;
            _previous[Count] = block;
            _idleCount++;
        }
        else
        {
            _unused[_unusedCount++] = block;
        }
    }

    /// <summary>The block that holds this content, in use or not; the caller adds a reference to keep it.</summary>
    public bool TryFind(UInt128 hash, out int block) => _byHash.TryGetValue(hash, out block);

    /// <summary>Makes a full, computed block findable. Content that is findable already stays where it is.</summary>
    public void Publish(int block, UInt128 hash)
    {
        if (!_published[block] && _byHash.TryAdd(hash, block))
        {
            _published[block] = true;
            _hashes[block] = hash;
        }
    }

    /// <summary>Makes a block in use unfindable: its content is not to be trusted.</summary>
    public void Unpublish(int block)
    {
        if (_published[block] && _references[block] > 0)
        {
            Forget(block);
        }
    }

    private void Forget(int block)
    {
        _byHash.Remove(_hashes[block]);
        _published[block] = false;
    }

    private void Unlink(int block)
    {
        _next[_previous[block]] = _next[block];
        _previous[_next[block]] = _previous[block];
        _idleCount--;
    }
}
