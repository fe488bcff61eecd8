namespace Fastgen.Engine.KvCache;

/// <summary>The blocks of one sequence in order of its positions.</summary>
internal sealed class BlockTable
{
    private int[] _blocks = new int[16];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, Count);

    public int this[int index]
    {
        get => Blocks[index];
        set => _blocks.AsSpan(0, Count)[index] = value;
    }

    public void Add(int block)
    {
        if (Count == _blocks.Length)
        {
            Array.Resize(ref _blocks, Count * 2);
        }

        _blocks[Count++] = block;
    }

    /// <summary>Takes part in another table's blocks: one reference more on each.</summary>
    public void ShareFrom(BlockTable other, BlockPool pool)
    {
        foreach (int block in other.Blocks)
        {
            pool.AddReference(block);
            Add(block);
        }
    }

    /// <summary>Gives all blocks back, the last first, so that the beginnings of prompts, which more requests share, stay findable longest.</summary>
    public void ReleaseAll(BlockPool pool)
    {
        for (int i = Count - 1; i >= 0; i--)
        {
            pool.Release(_blocks[i]);
        }

        Count = 0;
    }
}
