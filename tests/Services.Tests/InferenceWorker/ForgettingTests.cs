using Fastgen.Contracts;
using Fastgen.InferenceWorker;
using Fastgen.ServiceDefaults.Redis;
using Fastgen.Services.Tests.Fleet;
using Microsoft.Extensions.DependencyInjection;

namespace Fastgen.Services.Tests.InferenceWorker;

/// <summary>Workers and gateways get a new name with every start; who has gone leaves nothing behind for ever.</summary>
[Collection(FleetTests.Name)]
public sealed class ForgettingTests(FleetRedis redis)
{
    private const string ForgetMs = "3000";

    [Fact]
    public async Task Names_of_dead_workers_leave_the_group_but_never_one_with_entries()
    {
        await using var fleet = new TestFleet(redis);
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();
        await fleet.Redis.XGroupCreateAsync(EntryWriter.Stream, RedisKeys.WorkerGroup, "0");
        await writer.SubmitAsync(1, EntryWriter.Request(tokens: 5));
        await fleet.Redis.XReadGroupAsync(RedisKeys.WorkerGroup, "dead-with-an-entry", 1, [new RedisStreamOffset(EntryWriter.Stream, ">")]);
        await BeatAsync("dead-and-idle");
        Assert.Equal(["dead-and-idle", "dead-with-an-entry"], await ConsumersAsync());

        // The entry is not claimed within this test, since its worker counts as dead only in an hour.
        await fleet.StartWorkerAsync(("Worker:ForgetAfterMs", ForgetMs), ("Worker:HeartbeatMs", "100"), ("Worker:DeadAfterMs", "3600000"));
        await Eventually.SeeAsync(
            async () =>
            {
                await BeatAsync("alive");
                return string.Join(' ', await ConsumersAsync());
            },
            names => names == "alive dead-with-an-entry");
        Assert.Equal("dead-with-an-entry", Assert.Single(await fleet.Redis.XPendingAsync(EntryWriter.Stream, RedisKeys.WorkerGroup, 10)).Consumer);

        // Once its entry is done, nothing is lost with it.
        await fleet.Redis.XAckAsync(EntryWriter.Stream, RedisKeys.WorkerGroup, [(await fleet.Redis.XPendingAsync(EntryWriter.Stream, RedisKeys.WorkerGroup, 10))[0].Id]);
        await Eventually.SeeAsync(async () => string.Join(' ', await ConsumersAsync()), names => names == "");

        // Asks for its own entries, of which there are none: a sign of life as any other command's.
        async Task BeatAsync(string consumer) =>
            Assert.Empty(Assert.Single(await fleet.Redis.XReadGroupAsync(RedisKeys.WorkerGroup, consumer, 1, [new RedisStreamOffset(EntryWriter.Stream, "0")])).Entries);

        async Task<string[]> ConsumersAsync()
        {
            RespValue consumers = await fleet.Redis.ExecuteAsync("XINFO", "CONSUMERS", EntryWriter.Stream, RedisKeys.WorkerGroup);
            // Some versions of Redis list a worker that has not been given an entry yet, some do not.
            string[] own = [.. fleet.WorkerServices.Select(services => services.GetRequiredService<WorkerIdentity>().Id)];
            return [.. consumers.Items.ToArray().Select(consumer => consumer.Field("name"u8).AsString()!).Except(own).Order(StringComparer.Ordinal)];
        }
    }

    [Fact]
    public async Task A_gateway_that_asks_no_more_is_forgotten_and_its_entries_stay_counted()
    {
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync(("Worker:ForgetAfterMs", ForgetMs), ("Worker:HeartbeatMs", "100"));
        ReplyStreams replies = fleet.WorkerServices[0].GetRequiredService<ReplyStreams>();
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();
        long entries = 0;
        for (int round = 1; round <= 2; round++)
        {
            await writer.SubmitAsync(round, EntryWriter.Request(tokens: 5));
            Assert.Equal(5, (await writer.RepliesAsync(round)).Sum(item => item.Event!.TokenIds.Count));
            await Eventually.SeeAsync(() => replies.Count, count => count == 0);
            long before = entries;
            entries = await Eventually.SeeAsync(() => replies.Entries, count => count > before);
            Assert.InRange(entries, before + 1, before + 6);
        }

        Assert.Equal(entries, (await fleet.AssertNothingIsHeldAsync()).ReplyEntries);
    }

    [Fact]
    public void A_time_in_which_a_waiting_worker_would_be_forgotten_is_refused()
    {
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => WorkerApplication.Build(["--ConnectionStrings:redis=127.0.0.1:1", "--Model:Path=/none", "--Worker:ForgetAfterMs=2999"]));
        Assert.Contains("Worker:ForgetAfterMs is 2999 and must be 3000 at least", error.Message, StringComparison.Ordinal);
    }
}
