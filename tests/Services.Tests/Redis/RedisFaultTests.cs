using System.Diagnostics;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

/// <summary>What happens to calls when the real server dies, freezes or comes late.</summary>
public sealed class RedisFaultTests
{
    [Fact]
    public async Task After_kill_and_restart_calls_in_flight_fail_clearly_and_waiting_ones_succeed()
    {
        await using RedisServer server = await RedisServer.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        await using var redis = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit });
        await using var observer = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit });
        await redis.SetAsync("before", "kept");

        Task<RespValue> inFlight = redis.ExecuteAsync("BLPOP", "no-such-list", 0).AsTask();
        await RedisServer.WaitForBlockedClientAsync(observer);
        await server.KillAsync();
        RedisConnectionException error = await Assert.ThrowsAsync<RedisConnectionException>(() => inFlight);
        Assert.True(error.EffectUnknown);
        Assert.Contains("effect is unknown", error.Message, StringComparison.Ordinal);
        Assert.Contains("BLPOP", error.Message, StringComparison.Ordinal);

        Task<string?> waiting = redis.GetAsync("before").AsTask();
        await Task.Delay(300);
        Assert.False(waiting.IsCompleted);
        Assert.False(redis.IsConnected);
        await server.StartAgainAsync();
        Assert.Equal("kept", await waiting);
        Assert.True(redis.IsConnected);
    }

    [Fact]
    public async Task What_was_never_sent_is_sent_once_after_a_restart_and_what_was_half_sent_is_not()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit });
        await redis.PingAsync();
        server.Freeze();

        // More than the network's buffers hold (the receiver's may grow to 32 MiB), so it is on its way when the server dies.
        Task<bool> halfSent = redis.SetAsync("large", new byte[60_000_000]).AsTask();
        Task<long>[] unsent = Enumerable.Range(0, 100).Select(_ => redis.IncrAsync("count").AsTask()).ToArray();
        await server.WaitForUnreadBytesAsync();
        await server.KillAsync();
        Assert.True((await Assert.ThrowsAsync<RedisConnectionException>(() => halfSent)).EffectUnknown);
        await server.StartAgainAsync();
        for (int i = 0; i < unsent.Length; i++)
        {
            Assert.Equal(i + 1, await unsent[i]);
        }

        Assert.Equal("100", await redis.GetAsync("count"));
        Assert.Null(await redis.GetAsync("large"));
    }

    [Fact]
    public async Task Under_repeated_kills_no_reply_is_ever_given_to_another_call()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit });
        using var stop = new CancellationTokenSource();
        int answered = 0;
        int failed = 0;
        Task[] callers = Enumerable.Range(0, 16).Select(caller => Task.Run(async () =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
            {
                string sent = $"{caller}:{i}";
                try
                {
                    Assert.Equal(sent, (await redis.ExecuteAsync("ECHO", sent)).AsString());
                    Interlocked.Increment(ref answered);
                }
                catch (RedisConnectionException e) when (e.EffectUnknown)
                {
                    Interlocked.Increment(ref failed);
                }

                await Task.Delay(1);
            }
        })).ToArray();
        for (int round = 0; round < 3; round++)
        {
            await Task.Delay(200);
            await server.KillAsync();
            await Task.Delay(100);
            await server.StartAgainAsync();
        }

        int beforeLast = Volatile.Read(ref answered);
        await Eventually.BeTrueAsync(() => Volatile.Read(ref answered) > beforeLast);
        await stop.CancelAsync();
        await Task.WhenAll(callers);
        Assert.InRange(failed, 0, 16 * 3);
    }

    [Fact]
    public async Task A_frozen_server_means_time_outs_in_time_and_recovery_when_it_thaws()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options with { CommandTimeout = TimeSpan.FromMilliseconds(1500), ConnectTimeout = TimeSpan.FromMilliseconds(500) });
        await Eventually.SucceedAsync<bool, RedisException>(() => redis.SetAsync("k", "v").AsTask());
        server.Freeze();
        try
        {
            var watch = Stopwatch.StartNew();
            Task<string?>[] calls = Enumerable.Range(0, 20).Select(_ => redis.GetAsync("k").AsTask()).ToArray();
            RedisTimeoutException first = await Assert.ThrowsAsync<RedisTimeoutException>(() => calls[0]);
            Assert.Contains("GET", first.Message, StringComparison.Ordinal);
            Assert.True(first.EffectUnknown);
            foreach (Task<string?> call in calls.Skip(1))
            {
                // The connection ends with the first that is late; those that were called some milliseconds later were not late yet.
                RedisException error = await Assert.ThrowsAnyAsync<RedisException>(() => call);
                Assert.Contains("GET", error.Message, StringComparison.Ordinal);
                Assert.True(error is RedisTimeoutException { EffectUnknown: true } or RedisConnectionException { EffectUnknown: true }, error.ToString());
            }

            Assert.InRange(watch.ElapsedMilliseconds, 1400, (long)Eventually.Limit.TotalMilliseconds);
            watch.Restart();
            RedisTimeoutException unsent = await Assert.ThrowsAsync<RedisTimeoutException>(() => redis.GetAsync("k").AsTask());
            Assert.False(unsent.EffectUnknown);
            Assert.InRange(watch.ElapsedMilliseconds, 1400, (long)Eventually.Limit.TotalMilliseconds);
        }
        finally
        {
            server.Thaw();
        }

        Assert.Equal("v", await EventuallyAsync(() => redis.GetAsync("k").AsTask()));
    }

    [Fact]
    public async Task A_frozen_server_ends_a_blocking_read_after_block_time_and_margin()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options with { CommandTimeout = TimeSpan.FromMilliseconds(400) });
        await using RedisBlockingConnection blocking = redis.OpenBlocking();
        await EventuallyAsync(() => blocking.ExecuteAsync(["PING"], TimeSpan.FromMilliseconds(1)).AsTask());
        server.Freeze();
        var watch = Stopwatch.StartNew();
        await Assert.ThrowsAsync<RedisTimeoutException>(() => blocking.XReadAsync(1, TimeSpan.FromMilliseconds(600), [new("s", "$")]));
        Assert.InRange(watch.ElapsedMilliseconds, 950, (long)Eventually.Limit.TotalMilliseconds);
        server.Thaw();
        Assert.Empty(await EventuallyAsync(() => blocking.XReadAsync(1, TimeSpan.FromMilliseconds(10), [new("s", "$")])));
    }

    [Fact]
    public async Task A_server_that_comes_late_is_waited_for()
    {
        await using RedisServer server = RedisServer.Create();
        await using var redis = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit });
        Task[] calls = Enumerable.Range(0, 100).Select(i => (Task)redis.ExecuteAsync("RPUSH", "list", i).AsTask()).ToArray();
        await Task.Delay(500);
        Assert.DoesNotContain(calls, call => call.IsCompleted);
        await server.StartAgainAsync();
        await Task.WhenAll(calls);
        RespValue list = await redis.ExecuteAsync("LRANGE", "list", 0, -1);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), list.Items.ToArray().Select(v => v.AsInt64()));
    }

    [Fact]
    public async Task A_server_that_never_comes_is_named_in_the_time_out()
    {
        var options = new RedisOptions { Host = "127.0.0.1", Port = LoopbackPort.Next(), CommandTimeout = TimeSpan.FromMilliseconds(1500) };
        await using var redis = new RedisClient(options);
        var watch = Stopwatch.StartNew();
        RedisTimeoutException error = await Eventually.SeeAsync(
            () => Assert.ThrowsAsync<RedisTimeoutException>(() => redis.PingAsync()),
            // On a busy machine the time may be over before the first attempt to connect is.
            error => error.Message.Contains("refused", StringComparison.OrdinalIgnoreCase));
        Assert.InRange(watch.ElapsedMilliseconds, 1400, 2 * (long)Eventually.Limit.TotalMilliseconds);
        Assert.Contains($"127.0.0.1:{options.Port}", error.Message, StringComparison.Ordinal);
        Assert.False(error.EffectUnknown);
    }

    [Fact]
    public async Task Failing_fast_does_not_wait()
    {
        await using RedisServer server = RedisServer.Create();
        await using var redis = new RedisClient(server.Options with { FailFastWhileDisconnected = true, CommandTimeout = 4 * Eventually.Limit });
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < 3; i++)
        {
            RedisConnectionException error = await Assert.ThrowsAsync<RedisConnectionException>(() => redis.PingAsync());
            Assert.False(error.EffectUnknown);
        }

        Assert.True(watch.Elapsed < Eventually.Limit);
        await server.StartAgainAsync();
        await EventuallyAsync(async () =>
        {
            await redis.PingAsync();
            return true;
        });
    }

    [Fact]
    public async Task Loading_a_real_data_set_is_waited_for()
    {
        await using RedisServer server = await RedisServer.StartAsync("--save", "");
        await using var redis = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit });
        await redis.SetAsync("k", "v");
        await redis.ExecuteAsync("DEBUG", "POPULATE", 20_000);
        await redis.ExecuteAsync("SAVE");
        // 20,000 keys at 200 microseconds each: some four seconds of LOADING, seen on a connection of its own.
        await redis.ExecuteAsync("CONFIG", "SET", "key-load-delay", 200, "loading-process-events-interval-bytes", 1024);
        await using var other = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit });
        bool wasRefused = false;
        for (int attempt = 0; attempt < 5 && !wasRefused; attempt++)
        {
            Task<RespValue> reload = redis.ExecuteAsync(["DEBUG", "RELOAD", "NOSAVE"], Eventually.Limit).AsTask();
            while (!reload.IsCompleted && !(await other.InfoAsync("persistence")).Contains("loading:1", StringComparison.Ordinal))
            {
            }

            Assert.Equal("v", await other.GetAsync("k"));
            await reload;
            // A machine that is slow enough lets the server finish before the question comes.
            wasRefused = (await other.InfoAsync("errorstats")).Contains("errorstat_LOADING", StringComparison.Ordinal);
        }

        Assert.True(wasRefused, "The server never was loading, so nothing was shown.");
    }

    /// <summary>Tries until it works.</summary>
    internal static Task<T> EventuallyAsync<T>(Func<Task<T>> attempt) => Eventually.SucceedAsync<T, RedisException>(attempt);
}
