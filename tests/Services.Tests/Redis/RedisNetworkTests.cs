using System.Diagnostics;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

/// <summary>Half frames, cut frames and answers that no sane server gives.</summary>
public sealed class RedisNetworkTests
{
    [Fact]
    public async Task Replies_that_dribble_in_byte_by_byte_are_whole()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var proxy = new TcpProxy(server.Port) { PieceBytes = 1 };
        await using var redis = new RedisClient(new RedisOptions { Host = "127.0.0.1", Port = proxy.Port, CommandTimeout = Eventually.Limit });
        Task<RespValue>[] calls = Enumerable.Range(0, 50).Select(i => redis.ExecuteAsync("ECHO", $"line\r\n{i}").AsTask()).ToArray();
        for (int i = 0; i < calls.Length; i++)
        {
            Assert.Equal($"line\r\n{i}", (await calls[i]).AsString());
        }

        await redis.XAddAsync("s", ["field", "value"]);
        Assert.Equal("value"u8.ToArray(), Assert.Single(Assert.Single(await redis.XReadAsync(1, [new("s", "0")])).Entries)["field"u8].ToArray());
        Assert.Equal(1, proxy.Accepted);
    }

    [Fact]
    public async Task A_frame_cut_in_the_middle_fails_its_call_and_the_next_connection_starts_clean()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var direct = new RedisClient(server.Options);
        await direct.SetAsync("k", new string('x', 100_000));
        await using var proxy = new TcpProxy(server.Port) { CutAfterBytes = 50_000 };
        await using var redis = new RedisClient(new RedisOptions { Host = "127.0.0.1", Port = proxy.Port, CommandTimeout = Eventually.Limit });
        RedisConnectionException error = await Assert.ThrowsAsync<RedisConnectionException>(() => redis.GetAsync("k").AsTask());
        Assert.True(error.EffectUnknown);
        proxy.CutAfterBytes = null;
        Assert.Equal(100_000, (await redis.GetAsync("k"))!.Length);
        Assert.InRange(proxy.Accepted, 2, 3);
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n")]
    [InlineData("$99999999999\r\n")]
    [InlineData("*999999999\r\n")]
    [InlineData("+OK\r\n+OK\r\n")]
    [InlineData("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n")]
    public async Task Nonsense_ends_the_connection_and_nothing_else(string nonsense)
    {
        await using var server = new ScriptedServer(nonsense, "+fine\r\n");
        await using var redis = new RedisClient(new RedisOptions { Host = "127.0.0.1", Port = server.Port });
        Exception? error = await Record.ExceptionAsync(() => redis.ExecuteAsync("PING").AsTask());
        if (nonsense[0] != '+')
        {
            RedisConnectionException broken = Assert.IsType<RedisConnectionException>(error);
            Assert.IsType<RedisProtocolException>(broken.InnerException);
        }

        // The extra +OK must not become the answer to the next call.
        Assert.Equal("fine", (await RedisFaultTests.EventuallyAsync(() => redis.ExecuteAsync("PING").AsTask())).AsString());
        Assert.InRange(server.Accepted, 2, 3);
    }

    [Theory]
    [InlineData("LOADING Redis is loading the dataset in memory")]
    [InlineData("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")]
    [InlineData("TRYAGAIN Multiple keys request during rehashing of slot")]
    public async Task A_server_that_is_not_ready_is_asked_again_with_pauses(string answer)
    {
        await using var server = new ScriptedServer($"-{answer}\r\n", $"-{answer}\r\n", $"-{answer}\r\n", "+ready\r\n");
        await using var redis = new RedisClient(new RedisOptions { Host = "127.0.0.1", Port = server.Port, CommandTimeout = Eventually.Limit });
        var watch = Stopwatch.StartNew();
        Assert.Equal("ready", (await redis.ExecuteAsync("PING")).AsString());
        Assert.True(watch.ElapsedMilliseconds >= 50);
        Assert.Equal(4, server.Answered);
    }

    [Fact]
    public async Task A_server_that_stays_not_ready_gives_its_error_within_the_time_out_without_a_storm()
    {
        await using var server = new ScriptedServer("-LOADING Redis is loading the dataset in memory\r\n");
        await using var redis = new RedisClient(new RedisOptions { Host = "127.0.0.1", Port = server.Port, CommandTimeout = TimeSpan.FromSeconds(2) });
        int calls = 0;
        RedisException error = await Eventually.SeeAsync(
            async () =>
            {
                calls++;
                var watch = Stopwatch.StartNew();
                RedisException failed = await Assert.ThrowsAnyAsync<RedisException>(() => redis.PingAsync());
                Assert.InRange(watch.ElapsedMilliseconds, 100, (long)Eventually.Limit.TotalMilliseconds);
                return failed;
            },
            // A call whose last attempt a busy machine answers too late has a time-out to tell instead, and one that it answers
            // late at first is not tried again.
            failed => failed is not RedisTimeoutException && server.Answered > calls);
        Assert.Equal("LOADING", Assert.IsType<RedisServerException>(error).Code);

        // Pauses of 25, 50, 100 … 1,000 ms, each at least half of that.
        Assert.InRange(server.Answered, 2, 10 * calls);
        // What is answered too late costs its connection.
        Assert.InRange(server.Accepted, 1, calls + 1);
    }

    [Fact]
    public async Task A_server_that_greets_and_hangs_up_is_not_stormed()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var proxy = new TcpProxy(server.Port) { CutAfterBytes = 300 };
        await using var redis = new RedisClient(new RedisOptions { Host = "127.0.0.1", Port = proxy.Port, CommandTimeout = TimeSpan.FromMilliseconds(500) });
        var watch = Stopwatch.StartNew();
        while (proxy.Accepted < 6)
        {
            Assert.True(watch.Elapsed < Eventually.Limit, $"{proxy.Accepted} connections in {watch.Elapsed}");
            await Record.ExceptionAsync(() => redis.ExecuteAsync("ECHO", new string('x', 1000)).AsTask());
        }

        // Pauses of 50, 100, 200, 400 and 800 ms lie between six connections, each at least half of that.
        Assert.True(watch.ElapsedMilliseconds >= 750, $"{proxy.Accepted} connections in {watch.Elapsed}");
    }

    [Fact]
    public async Task A_silent_peer_is_given_up_after_the_connect_time_out()
    {
        await using var server = new ScriptedServer("+never\r\n") { Hello = "" };
        await using var redis = new RedisClient(new RedisOptions { Host = "127.0.0.1", Port = server.Port, ConnectTimeout = TimeSpan.FromMilliseconds(300), FailFastWhileDisconnected = true });
        var watch = Stopwatch.StartNew();
        RedisConnectionException error = await Assert.ThrowsAsync<RedisConnectionException>(() => redis.PingAsync());
        Assert.Contains("300 ms", error.Message, StringComparison.Ordinal);
        Assert.InRange(watch.ElapsedMilliseconds, 250, (long)Eventually.Limit.TotalMilliseconds);
    }

    [Fact]
    public async Task Commands_that_cannot_be_sent_are_bounded()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit, Limits = new RedisLimits { MaxUnsentBytes = 1 << 20 } });
        await redis.PingAsync();
        server.Freeze();
        byte[] value = new byte[300_000];
        Task<bool> first = redis.SetAsync("first", value).AsTask();

        // The network's own buffers take some megabytes before anything has to wait.
        Task<bool> last = first;
        for (int i = 0; i < 400 && !last.IsFaulted; i++)
        {
            last = redis.SetAsync("k", value).AsTask();
        }

        RedisConnectionException refused = await Assert.ThrowsAsync<RedisConnectionException>(() => last);
        Assert.Contains("MaxUnsentBytes", refused.Message, StringComparison.Ordinal);
        Assert.False(refused.EffectUnknown);
        server.Thaw();
        Assert.True(await first);
    }
}
