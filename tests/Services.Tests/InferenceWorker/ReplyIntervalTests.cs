using System.Diagnostics;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.InferenceWorker;
using Fastgen.Services.Tests.Fleet;

namespace Fastgen.Services.Tests.InferenceWorker;

/// <summary>Worker:ReplyIntervalMs, seen by the entries that a worker writes for one request.</summary>
[Collection(FleetTests.Name)]
public sealed class ReplyIntervalTests(FleetRedis redis)
{
    private const int Tokens = 1500;

    [Fact]
    public async Task Tokens_of_an_interval_travel_together()
    {
        const int IntervalMs = 1000;
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync(("Worker:ReplyIntervalMs", $"{IntervalMs}"));
        var watch = Stopwatch.StartNew();
        (long entries, List<ReplyItem> items) = await GenerateAsync(fleet);

        // The first token, the end, and one for each interval that has passed.
        Assert.InRange(entries, 2, 3 + (watch.ElapsedMilliseconds / IntervalMs));
        Assert.True(items[0].Event!.TokenIds.Count < Tokens, "The first token waited for the last.");
    }

    [Fact]
    public async Task Without_an_interval_steps_travel_by_themselves()
    {
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync(("Worker:ReplyIntervalMs", "0"));
        (long entries, _) = await GenerateAsync(fleet);

        // One for each step; where the processor is busy those of some steps come to be one.
        Assert.InRange(entries, Tokens / 50, Tokens);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1001)]
    public void An_interval_that_cannot_be_is_refused(int intervalMs)
    {
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => WorkerApplication.Build(["--ConnectionStrings:redis=127.0.0.1:1", "--Model:Path=/none", $"--Worker:ReplyIntervalMs={intervalMs}"]));
        Assert.Contains($"Worker:ReplyIntervalMs is {intervalMs} and may be 0 to 1000", error.Message, StringComparison.Ordinal);
    }

    private static async Task<(long Entries, List<ReplyItem> Items)> GenerateAsync(TestFleet fleet)
    {
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();
        await writer.SubmitAsync(1, EntryWriter.Request(Tokens));
        List<ReplyItem> items = await writer.RepliesAsync(1);
        Assert.Equal(Tokens, items.Sum(item => item.Event!.TokenIds.Count));
        // One entry made the stream.
        return (await fleet.Redis.XLenAsync(RedisKeys.Replies(EntryWriter.GatewayId)) - 1, items);
    }
}
