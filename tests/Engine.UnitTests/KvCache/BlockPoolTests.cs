using Fastgen.Engine.KvCache;

namespace Fastgen.Engine.UnitTests.KvCache;

public sealed class BlockPoolTests
{
    [Fact]
    public void Every_block_is_handed_out_once()
    {
        var pool = new BlockPool(5);
        HashSet<int> taken = [];
        while (pool.TryAllocate(out int block))
        {
            Assert.True(taken.Add(block));
            Assert.Equal(1, pool.References(block));
        }

        Assert.Equal([0, 1, 2, 3, 4], taken.Order());
        Assert.Equal(0, pool.FreeCount);
        pool.Release(3);
        Assert.True(pool.TryAllocate(out int again));
        Assert.Equal(3, again);
    }

    [Fact]
    public void A_shared_block_is_free_after_its_last_release()
    {
        var pool = new BlockPool(1);
        pool.TryAllocate(out int block);
        pool.AddReference(block);
        pool.Release(block);
        Assert.Equal(0, pool.FreeCount);
        pool.Release(block);
        Assert.Equal(1, pool.FreeCount);
        Assert.Throws<InvalidOperationException>(() => pool.Release(block));
        Assert.Throws<InvalidOperationException>(() => pool.AddReference(block));
        Assert.Equal(0, pool.References(block));
    }

    [Fact]
    public void Published_blocks_are_found_until_they_are_needed_oldest_first()
    {
        var pool = new BlockPool(3);
        for (int i = 0; i < 3; i++)
        {
            pool.TryAllocate(out int block);
            pool.Publish(block, (UInt128)(100 + block));
        }

        pool.Release(1);
        pool.Release(0);
        pool.Release(2);
        Assert.Equal(3, pool.FreeCount);
        Assert.True(pool.TryFind(101, out int found));
        pool.AddReference(found);
        Assert.Equal(2, pool.FreeCount);
        pool.Release(found);

        // Block 1 was used last; 0 has waited longest.
        Assert.True(pool.TryAllocate(out int first));
        Assert.Equal(0, first);
        Assert.False(pool.TryFind(100, out _));
        Assert.True(pool.TryFind(101, out _));
        Assert.True(pool.TryFind(102, out _));
    }

    [Fact]
    public void The_same_content_is_published_once()
    {
        var pool = new BlockPool(2);
        pool.TryAllocate(out int one);
        pool.TryAllocate(out int two);
        pool.Publish(one, 7);
        pool.Publish(two, 7);
        pool.Publish(one, 7);
        Assert.True(pool.TryFind(7, out int found));
        Assert.Equal(one, found);
        pool.Release(two);
        Assert.Equal(1, pool.PublishedCount);
        pool.Unpublish(one);
        Assert.False(pool.TryFind(7, out _));
        pool.Release(one);
        Assert.Equal(2, pool.FreeCount);
    }

    [Fact]
    public void Hashes_depend_on_every_token_before()
    {
        int[] tokens = [.. Enumerable.Range(0, 40)];
        UInt128[] chain = BlockHash.Chain(tokens, 8);
        Assert.Equal(5, chain.Length);
        Assert.Equal(5, chain.Distinct().Count());
        for (int i = 0; i < tokens.Length; i++)
        {
            int[] changed = [.. tokens];
            changed[i]++;
            UInt128[] other = BlockHash.Chain(changed, 8);
            for (int block = 0; block < 5; block++)
            {
                Assert.Equal(block < i / 8, chain[block] == other[block]);
            }
        }
    }
}
