using System.Text;
using System.Threading.Channels;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

public sealed class RedisSubscriptionTests
{
    [Fact]
    public async Task Messages_come_in_order_and_only_from_the_channels()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options);
        Channel<RedisMessage> received = Channel.CreateUnbounded<RedisMessage>();
        await using RedisSubscription subscription = await redis.SubscribeAsync(["a", "b"], message => received.Writer.TryWrite(message));
        for (int i = 0; i < 500; i++)
        {
            Assert.Equal(1, await redis.PublishAsync(i % 2 == 0 ? "a" : "b", i));
        }

        Assert.Equal(0, await redis.PublishAsync("c", "x"));
        for (int i = 0; i < 500; i++)
        {
            RedisMessage message = await ReadAsync(received);
            Assert.Equal((i % 2 == 0 ? "a" : "b", $"{i}"), (message.Channel, Encoding.UTF8.GetString(message.Payload.Span)));
        }
    }

    [Fact]
    public async Task A_subscriber_that_throws_gets_the_next_message_all_the_same()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options);
        Channel<RedisMessage> received = Channel.CreateUnbounded<RedisMessage>();
        await using RedisSubscription subscription = await redis.SubscribeAsync(["a"], message =>
        {
            received.Writer.TryWrite(message);
            throw new InvalidOperationException("thrown by the test");
        });
        await redis.PublishAsync("a", "1");
        await redis.PublishAsync("a", "2");
        await ReadAsync(received);
        Assert.Equal("2"u8.ToArray(), (await ReadAsync(received)).Payload.ToArray());
    }

    [Fact]
    public async Task Subscriptions_survive_a_killed_server()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options with { CommandTimeout = Eventually.Limit });
        Channel<RedisMessage> received = Channel.CreateUnbounded<RedisMessage>();
        Channel<bool> subscribed = Channel.CreateUnbounded<bool>();
        await using RedisSubscription subscription = await redis.SubscribeAsync(["a"], m => received.Writer.TryWrite(m), () => subscribed.Writer.TryWrite(true));
        await ReadAsync(subscribed);
        await server.KillAsync();
        await server.StartAgainAsync();
        await ReadAsync(subscribed);
        Assert.Equal(1, await redis.PublishAsync("a", "after"));
        Assert.Equal("after"u8.ToArray(), (await ReadAsync(received)).Payload.ToArray());
    }

    [Fact]
    public async Task A_frozen_server_is_noticed_without_any_message()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options with { CommandTimeout = TimeSpan.FromMilliseconds(300) });
        await using RedisSubscription subscription = await RedisFaultTests.EventuallyAsync(() => redis.SubscribeAsync(["a"], _ => { }));
        await Eventually.BeTrueAsync(() => subscription.IsConnected);
        server.Freeze();
        await Eventually.BeTrueAsync(() => !subscription.IsConnected);
        server.Thaw();
        await Eventually.BeTrueAsync(() => subscription.IsConnected);
    }

    [Fact]
    public async Task A_channel_that_the_user_may_not_read_is_refused_at_once()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var admin = new RedisClient(server.Options);
        await admin.ExecuteAsync("ACL", "SETUSER", "reader", "on", ">secret", "+@all", "~*", "resetchannels", "&open");
        await using var redis = new RedisClient(server.Options with { User = "reader", Password = "secret" });
        await using RedisSubscription open = await redis.SubscribeAsync(["open"], _ => { });
        RedisConnectionException error = await Assert.ThrowsAsync<RedisConnectionException>(() => redis.SubscribeAsync(["open", "closed"], _ => { }));
        Assert.Contains("NOPERM", error.Message, StringComparison.Ordinal);
    }

    private static async Task<T> ReadAsync<T>(Channel<T> channel) => await channel.Reader.ReadAsync().AsTask().WaitAsync(Eventually.Limit);
}
