using System.Globalization;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

public sealed class RedisClientTests : RedisServerTests
{
    [Fact]
    public async Task Strings_numbers_and_bytes_come_back_as_they_were_sent()
    {
        byte[] binary = Enumerable.Range(0, 256).Select(i => (byte)i).Concat("\r\n$5\r\n"u8.ToArray()).ToArray();
        Assert.True(await Redis.SetAsync("b", binary));
        Assert.Equal(binary, (await Redis.ExecuteAsync("GET", "b")).AsBytes().ToArray());
        Assert.True(await Redis.SetAsync("t", "grüße 🎉"));
        Assert.Equal("grüße 🎉", await Redis.GetAsync("t"));
        Assert.True(await Redis.SetAsync("n", long.MinValue));
        Assert.Equal(long.MinValue.ToString(CultureInfo.InvariantCulture), await Redis.GetAsync("n"));
        Assert.True(await Redis.SetAsync("e", ""));
        Assert.Equal("", await Redis.GetAsync("e"));
        Assert.Null(await Redis.GetAsync("absent"));
        Assert.Equal(7, await Redis.IncrAsync("i", 7));
        Assert.Equal(6, await Redis.IncrAsync("i", -1));
    }

    [Fact]
    public async Task Large_values_pass_both_ways_among_small_ones()
    {
        byte[] large = new byte[5_000_000];
        new Random(1).NextBytes(large);
        Task<bool> set = Redis.SetAsync("large", large).AsTask();
        Task<long> next = Redis.IncrAsync("i").AsTask();
        Assert.True(await set);
        Assert.Equal(1, await next);
        Task<RespValue> get = Redis.ExecuteAsync("GET", "large").AsTask();
        Task<long> after = Redis.IncrAsync("i").AsTask();
        Assert.True((await get).AsBytes().Span.SequenceEqual(large));
        Assert.Equal(2, await after);
    }

    [Fact]
    public async Task Ten_thousand_calls_in_flight_get_each_its_own_reply()
    {
        string[] echoed = new string[10_000];
        await Parallel.ForAsync(0, 8, async (worker, _) =>
        {
            var calls = new List<(int Index, Task<RespValue> Reply)>();
            for (int i = worker; i < echoed.Length; i += 8)
            {
                calls.Add((i, Redis.ExecuteAsync("ECHO", $"message {i}").AsTask()));
            }

            foreach ((int index, Task<RespValue> reply) in calls)
            {
                echoed[index] = (await reply).AsString()!;
            }
        });

        for (int i = 0; i < echoed.Length; i++)
        {
            Assert.Equal($"message {i}", echoed[i]);
        }
    }

    [Fact]
    public async Task One_callers_commands_keep_their_order()
    {
        Task<RespValue>[] pushes = Enumerable.Range(0, 1000).Select(i => Redis.ExecuteAsync("RPUSH", "list", i).AsTask()).ToArray();
        for (int i = 0; i < pushes.Length; i++)
        {
            Assert.Equal(i + 1, (await pushes[i]).AsInt64());
        }

        RespValue list = await Redis.ExecuteAsync("LRANGE", "list", 0, -1);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (long)i), list.Items.ToArray().Select(v => v.AsInt64()));
    }

    [Fact]
    public async Task Error_replies_hit_only_their_own_call()
    {
        await Redis.ExecuteAsync("RPUSH", "list", 1);
        Task<RespValue> before = Redis.ExecuteAsync("PING").AsTask();
        Task<string?> wrong = Redis.GetAsync("list").AsTask();
        Task<RespValue> after = Redis.ExecuteAsync("ECHO", "still here").AsTask();
        Assert.Equal("PONG", (await before).AsString());
        RedisServerException error = await Assert.ThrowsAsync<RedisServerException>(() => wrong);
        Assert.Equal("WRONGTYPE", error.Code);
        Assert.Equal("still here", (await after).AsString());
    }

    [Fact]
    public async Task Expiry_and_new_only()
    {
        Assert.True(await Redis.SetAsync("k", "1", TimeSpan.FromSeconds(1000), onlyIfNew: true));
        Assert.False(await Redis.SetAsync("k", "2", onlyIfNew: true));
        Assert.InRange((await Redis.ExecuteAsync("PTTL", "k")).AsInt64(), 800_000, 1_000_000);
        Assert.True(await Redis.ExpireAsync("k", TimeSpan.FromSeconds(3000)));
        Assert.InRange((await Redis.ExecuteAsync("PTTL", "k")).AsInt64(), 2_800_000, 3_000_000);
        Assert.False(await Redis.ExpireAsync("absent", TimeSpan.FromSeconds(1)));
        Assert.Equal(1, await Redis.DelAsync(["k", "absent"]));
    }

    [Fact]
    public async Task Hashes_scans_scripts_time_and_info()
    {
        Assert.Equal(2, await Redis.HSetAsync("h", ["name", "worker", "tokens", 12]));
        Dictionary<string, string> fields = await Redis.HGetAllAsync("h");
        Assert.Equal(new Dictionary<string, string> { ["name"] = "worker", ["tokens"] = "12" }, fields);
        Assert.Empty(await Redis.HGetAllAsync("absent"));
        Assert.Throws<ArgumentException>(() => { _ = Redis.HSetAsync("h", ["odd"]).AsTask(); });

        for (int i = 0; i < 1000; i++)
        {
            _ = Redis.SetAsync($"scan:{i}", i).AsTask();
        }

        var seen = new HashSet<string>();
        await foreach (string key in Redis.ScanAsync("scan:*", 100))
        {
            seen.Add(key);
        }

        Assert.Equal(1000, seen.Count);

        var script = new RedisScript("return {KEYS[1], ARGV[1], ARGV[2] + 1}");
        for (int round = 0; round < 2; round++)
        {
            RespValue reply = await Redis.EvalAsync(script, ["key"], ["text", 41]);
            Assert.Equal("key", reply.Items[0].AsString());
            Assert.Equal("text", reply.Items[1].AsString());
            Assert.Equal(42, reply.Items[2].AsInt64());
        }

        Assert.InRange((await Redis.TimeAsync() - DateTimeOffset.UtcNow).Duration(), TimeSpan.Zero, Eventually.Limit);
        Assert.Contains("redis_version", await Redis.InfoAsync("server"), StringComparison.Ordinal);
        await Redis.PingAsync();
    }

    [Fact]
    public async Task The_servers_own_types_arrive()
    {
        string lua = "redis.setresp(3); if ARGV[1] == 'map' then return {map={a=1}} elseif ARGV[1] == 'double' then return {double=3.5} else return {big_number='123456789012345678901234567890'} end";
        var script = new RedisScript(lua);
        Assert.Equal(1, (await Redis.EvalAsync(script, [], ["map"])).Field("a"u8).AsInt64());
        Assert.Equal(3.5, (await Redis.EvalAsync(script, [], ["double"])).AsDouble());
        Assert.Equal("123456789012345678901234567890", (await Redis.EvalAsync(script, [], ["big"])).AsBigInteger().ToString(CultureInfo.InvariantCulture));
        foreach ((string kind, RespType type) in new[] { ("string", RespType.BulkString), ("integer", RespType.Integer), ("double", RespType.Double), ("null", RespType.Null), ("array", RespType.Array), ("set", RespType.Set), ("map", RespType.Map), ("verbatim", RespType.VerbatimString), ("bignum", RespType.BigNumber), ("true", RespType.Boolean), ("false", RespType.Boolean), ("attrib", RespType.BulkString) })
        {
            Assert.Equal(type, (await Redis.ExecuteAsync("DEBUG", "PROTOCOL", kind)).Type);
        }
    }

    [Fact]
    public async Task A_cancelled_call_ends_at_once_and_leaves_the_others_in_step()
    {
        using var cancel = new CancellationTokenSource();
        await Redis.PingAsync();
        Server.Freeze();
        Task<RespValue> before = Redis.ExecuteAsync("ECHO", "before").AsTask();
        Task<RespValue> cancelled = Redis.ExecuteAsync(["ECHO", "lost"], Eventually.Limit, cancel.Token).AsTask();
        Task<RespValue> kept = Redis.ExecuteAsync("ECHO", "kept").AsTask();
        await cancel.CancelAsync();

        // While the server says nothing at all.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Server.Thaw();
        Assert.Equal("before", (await before).AsString());
        Assert.Equal("kept", (await kept).AsString());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Redis.GetAsync("x", cancel.Token).AsTask());
        Assert.Equal("1", (await Redis.ExecuteAsync("ECHO", "1")).AsString());
    }

    [Fact]
    public async Task Taking_a_result_twice_or_too_early_is_refused_and_harms_no_other_call()
    {
        await Redis.PingAsync();
#pragma warning disable CA2012 // the misuse is what is tested
        Server.Freeze();
        ValueTask<RespValue> slow = Redis.ExecuteAsync("ECHO", "late");
        Assert.Throws<InvalidOperationException>(() => slow.GetAwaiter().GetResult());
        Server.Thaw();
        Assert.Equal("late", (await slow).AsString());
        Assert.Throws<InvalidOperationException>(() => slow.GetAwaiter().GetResult());
#pragma warning restore CA2012
        Task<RespValue>[] calls = Enumerable.Range(0, 100).Select(i => Redis.ExecuteAsync("ECHO", i).AsTask()).ToArray();
        for (int i = 0; i < calls.Length; i++)
        {
            Assert.Equal(i, (await calls[i]).AsInt64());
        }
    }

    [Fact]
    public async Task Disposing_fails_calls_under_way_and_later_ones()
    {
        var redis = new RedisClient(Server.Options);
        await redis.PingAsync();
        Server.Freeze();
        Task<RespValue> slow = redis.ExecuteAsync("PING").AsTask();
        await redis.DisposeAsync();
        await Assert.ThrowsAsync<RedisConnectionException>(() => slow);
        Server.Thaw();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => redis.ExecuteAsync("PING").AsTask());
        await redis.DisposeAsync();
    }
}
