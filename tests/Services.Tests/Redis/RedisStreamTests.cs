using System.Diagnostics;
using System.Text;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

public sealed class RedisStreamTests : RedisServerTests
{
    [Fact]
    public async Task A_group_hands_out_claims_and_acknowledges()
    {
        Assert.Null(await Redis.XAddAsync("s", ["k", "v"], onlyIfExists: true));
        Assert.True(await Redis.XGroupCreateAsync("s", "workers"));
        Assert.False(await Redis.XGroupCreateAsync("s", "workers"));
        string[] ids = new string[5];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = (await Redis.XAddAsync("s", ["n", i, "payload", new byte[] { 0, 13, 10, (byte)i }], maxLength: 1000))!;
        }

        Assert.Equal(5, await Redis.XLenAsync("s"));
        Assert.Equal(5, Assert.Single(await Redis.XInfoGroupsAsync("s")).Lag);

        RedisStreamBatch batch = Assert.Single(await Redis.XReadGroupAsync("workers", "a", 3, [new("s", ">")]));
        Assert.Equal("s", batch.Key);
        Assert.Equal(ids[..3], batch.Entries.Select(e => e.Id));
        Assert.Equal([0, 13, 10, 2], batch.Entries[2]["payload"u8].ToArray());
        Assert.False(batch.Entries[0].TryGet("absent"u8, out _));
        Assert.Equal(1, await Redis.XAckAsync("s", "workers", [ids[0]]));

        RedisPendingEntry[] pending = await Redis.XPendingAsync("s", "workers", 10);
        Assert.Equal([(ids[1], "a", 1L), (ids[2], "a", 1L)], pending.Select(p => (p.Id, p.Consumer, p.Deliveries)));
        Assert.Empty(await Redis.XPendingAsync("s", "workers", 10, "b"));

        Assert.Equal(1, await Redis.XDelAsync("s", [ids[1]]));
        RedisClaim claim = await Redis.XAutoClaimAsync("s", "workers", "b", TimeSpan.Zero);
        Assert.Equal("0-0", claim.NextStart);
        Assert.Equal([ids[2]], claim.Entries.Select(e => e.Id));
        Assert.Equal([ids[1]], claim.DeletedIds);
        Assert.Empty((await Redis.XAutoClaimAsync("s", "workers", "c", TimeSpan.FromMinutes(1))).Entries);

        // b's own pending entries, one of which is then deleted.
        Assert.Equal(ids[2], Assert.Single(Assert.Single(await Redis.XReadGroupAsync("workers", "b", 10, [new("s", "0")])).Entries).Id);
        await Redis.XDelAsync("s", [ids[2]]);
        Assert.True(Assert.Single(Assert.Single(await Redis.XReadGroupAsync("workers", "b", 10, [new("s", "0")])).Entries).IsDeleted);

        Assert.Equal(1, await Redis.XGroupDelConsumerAsync("s", "workers", "b"));
        RedisStreamGroup group = Assert.Single(await Redis.XInfoGroupsAsync("s"));
        Assert.Equal(("workers", 0L, ids[2]), (group.Name, group.Pending, group.LastDeliveredId));
        RedisStreamBatch rest = Assert.Single(await Redis.XReadAsync(10, [new("s", ids[3]), new("absent", "0")]));
        Assert.Equal([ids[4]], rest.Entries.Select(e => e.Id));
    }

    [Fact]
    public async Task Length_is_kept_near_the_limit()
    {
        for (int i = 0; i < 2000; i++)
        {
            _ = Redis.XAddAsync("s", ["n", i], maxLength: 500).AsTask();
        }

        Assert.InRange(await Redis.XLenAsync("s"), 500, 700);
    }

    [Fact]
    public async Task Blocking_reads_wake_time_out_and_do_not_hold_up_other_calls()
    {
        await Redis.XGroupCreateAsync("s", "workers");
        await using RedisBlockingConnection blocking = Redis.OpenBlocking("worker-1");
        var watch = Stopwatch.StartNew();
        Assert.Empty(await blocking.XReadGroupAsync("workers", "a", 10, TimeSpan.FromMilliseconds(300), [new("s", ">")]));
        Assert.True(watch.ElapsedMilliseconds >= 250);

        // A reader that were not woken would wait for a multiple of the test's patience.
        TimeSpan endless = 10 * Eventually.Limit;
        Task<RedisStreamBatch[]> waiting = blocking.XReadGroupAsync("workers", "a", 10, endless, [new("s", ">")]);
        await RedisServer.WaitForBlockedClientAsync(Redis);
        string? id = await Redis.XAddAsync("s", ["k", "v"]);
        Assert.Equal(id, Assert.Single(Assert.Single(await waiting.WaitAsync(Eventually.Limit)).Entries).Id);

        await using RedisBlockingConnection plain = Redis.OpenBlocking();
        Task<RedisStreamBatch[]> fromNow = plain.XReadAsync(10, endless, [new("s", "$")]);
        await RedisServer.WaitForBlockedClientAsync(Redis);
        id = await Redis.XAddAsync("s", ["k", "w"]);
        Assert.Equal("w", Encoding.UTF8.GetString(Assert.Single(Assert.Single(await fromNow.WaitAsync(Eventually.Limit)).Entries)["k"u8].Span));
        Assert.Contains("name=worker-1", (await Redis.ExecuteAsync("CLIENT", "LIST")).AsString()!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_block_longer_than_the_command_time_out_is_no_time_out()
    {
        await using var redis = new RedisClient(Server.Options with { CommandTimeout = TimeSpan.FromMilliseconds(300) });
        await using RedisBlockingConnection blocking = redis.OpenBlocking();
        // Connecting, or the way of the answer, may take longer than the time-out on a busy machine; one that took the block
        // for a time-out would fail every time.
        var watch = new Stopwatch();
        RedisStreamBatch[] nothing = await Eventually.SucceedAsync<RedisStreamBatch[], RedisTimeoutException>(() =>
        {
            watch.Restart();
            return blocking.XReadAsync(1, TimeSpan.FromMilliseconds(1000), [new("s", "$")]);
        });
        Assert.Empty(nothing);
        Assert.True(watch.ElapsedMilliseconds >= 950);
    }

    [Fact]
    public async Task Cancelling_a_blocking_read_ends_it_at_once_and_the_next_one_works()
    {
        await using RedisBlockingConnection blocking = Redis.OpenBlocking();
        using var cancel = new CancellationTokenSource();
        Task<RedisStreamBatch[]> waiting = blocking.XReadAsync(1, 10 * Eventually.Limit, [new("s", "$")], cancel.Token);
        await RedisServer.WaitForBlockedClientAsync(Redis);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Eventually.Limit));
        await Redis.XAddAsync("s", ["k", "v"]);
        Assert.Single(await blocking.XReadAsync(1, TimeSpan.FromSeconds(5), [new("s", "0")]));
    }
}
