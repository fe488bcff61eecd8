using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Services.Tests.Dashboard;
using Fastgen.Services.Tests.Fleet;
using Fastgen.Services.Tests.OpenAI;

namespace Fastgen.Services.Tests.Gateway;

/// <summary>What a gateway refuses, and what it says to it. The worker beats but takes nothing, so the queue is as full as the test makes it.</summary>
[Collection(FleetTests.Name)]
public sealed class OverloadTests(FleetRedis redis)
{
    private static readonly Uri Chat = new("/v1/chat/completions", UriKind.Relative);

    [Theory]
    [InlineData(0.1, "10")] // one of the two that wait is gone after ten seconds
    [InlineData(4, "1")]
    [InlineData(0.0001, "120")] // the longest that anybody is told to wait
    [InlineData(0, "30")] // no request has ended yet
    public async Task A_full_queue_is_told_with_the_time_until_there_is_room(double requestsPerSecond, string retryAfter)
    {
        await using var fleet = new TestFleet(redis);
        await using Heartbeats worker = await BeatAsync(fleet, requestsPerSecond);
        HttpClient gateway = await fleet.StartGatewayAsync(("Gateway:MaxQueuedRequests", "2"));
        using var leave = new CancellationTokenSource();
        Task<HttpResponseMessage>[] waiting = [gateway.PostAsync(Chat, ChatBody.Of(5), leave.Token), gateway.PostAsync(Chat, ChatBody.Of(5, stream: true), leave.Token)];
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 2);

        foreach (bool stream in (bool[])[false, true])
        {
            using HttpResponseMessage refused = await gateway.PostAsync(Chat, ChatBody.Of(5, stream: stream));
            JsonElement error = await ApiServer.ErrorAsync(refused, 429);
            Assert.Equal("queue_full", error.GetProperty("code").GetString());
            Assert.Contains("2 requests wait for the model 'demo' and 2 may", error.GetProperty("message").GetString(), StringComparison.Ordinal);
            Assert.Equal(retryAfter, refused.Headers.RetryAfter?.ToString());
        }

        // Who leaves the queue makes room in it.
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting[0]);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting[1]);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 0);
    }

    [Fact]
    public async Task A_gateway_with_all_the_requests_that_it_handles_refuses_more()
    {
        await using var fleet = new TestFleet(redis);
        await using Heartbeats worker = await BeatAsync(fleet);
        HttpClient gateway = await fleet.StartGatewayAsync(("Gateway:MaxOpenRequests", "1"));
        using var leave = new CancellationTokenSource();
        Task<HttpResponseMessage> open = gateway.PostAsync(Chat, ChatBody.Of(5), leave.Token);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 1);

        using HttpResponseMessage refused = await gateway.PostAsync(Chat, ChatBody.Of(5));
        JsonElement error = await ApiServer.ErrorAsync(refused, 429);
        Assert.Equal("gateway_full", error.GetProperty("code").GetString());
        Assert.Contains("Gateway:MaxOpenRequests", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("1", refused.Headers.RetryAfter?.ToString());
        Assert.Equal(1, await fleet.EntriesAsync());
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => open);
    }

    [Fact]
    public async Task Requests_that_come_at_once_are_not_more_than_the_gateway_handles()
    {
        const int Asked = 48;
        const int MaxOpen = 5;
        await using var fleet = new TestFleet(redis);
        await using Heartbeats worker = await BeatAsync(fleet);
        HttpClient gateway = await fleet.StartGatewayAsync(("Gateway:MaxOpenRequests", $"{MaxOpen}"));
        for (int round = 0; round < 3; round++)
        {
            // The places of the round before are free again.
            using var leave = new CancellationTokenSource();
            Task<HttpResponseMessage>[] asked = [.. Enumerable.Range(0, Asked).Select(i => gateway.PostAsync(Chat, ChatBody.Of(5, stream: i % 2 == 0), leave.Token))];
            await Eventually.SeeAsync(() => asked.Count(answer => answer.IsCompleted), count => count == Asked - MaxOpen);
            await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == MaxOpen);
            foreach (Task<HttpResponseMessage> answer in asked.Where(answer => answer.IsCompleted))
            {
                using HttpResponseMessage refused = await answer;
                Assert.Equal("gateway_full", (await ApiServer.ErrorAsync(refused, 429)).GetProperty("code").GetString());
            }

            await leave.CancelAsync();
            foreach (Task<HttpResponseMessage> open in asked)
            {
                await Record.ExceptionAsync(() => open);
            }

            // A request leaves its place before it leaves the queue.
            await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 0);
        }
    }

    [Fact]
    public async Task A_queue_holds_no_more_bytes_than_it_may()
    {
        const int MaxBytes = 300_000;
        await using var fleet = new TestFleet(redis);
        await using Heartbeats worker = await BeatAsync(fleet, 0.1);
        HttpClient gateway = await fleet.StartGatewayAsync(("Gateway:MaxQueuedBytes", $"{MaxBytes}"));
        using var leave = new CancellationTokenSource();
        Task<HttpResponseMessage> large = gateway.PostAsync(Chat, Body(200_000), leave.Token);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 1);

        using (HttpResponseMessage refused = await gateway.PostAsync(Chat, Body(150_000)))
        {
            JsonElement error = await ApiServer.ErrorAsync(refused, 429);
            Assert.Equal("queue_full", error.GetProperty("code").GetString());
            Assert.Matches("The 1 requests for the model 'demo' take 2[0-9]{5} bytes and 300000 are allowed", error.GetProperty("message").GetString());
            Assert.Equal("10", refused.Headers.RetryAfter?.ToString());
        }

        // Not the number of requests is too large: there is room for small ones.
        using var leaveSmall = new CancellationTokenSource();
        Task<HttpResponseMessage> small = gateway.PostAsync(Chat, Body(1_000), leaveSmall.Token);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 2);

        // Who leaves gives back the bytes that the request took.
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 1);
        using var leaveLast = new CancellationTokenSource();
        Task<HttpResponseMessage> last = gateway.PostAsync(Chat, Body(150_000), leaveLast.Token);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 2);
        Assert.False(last.IsCompleted);
        await leaveSmall.CancelAsync();
        await leaveLast.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => small);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => last);

        static StringContent Body(int bytes) => new(
            $$"""{"model":"demo","messages":[{"role":"user","content":"{{new string('x', bytes)}}"}]}""", System.Text.Encoding.UTF8, "application/json");
    }

    [Fact]
    public async Task The_bytes_of_a_queue_do_not_bound_a_single_request()
    {
        await using var fleet = new TestFleet(redis);
        await using Heartbeats worker = await BeatAsync(fleet);
        HttpClient gateway = await fleet.StartGatewayAsync(("Gateway:MaxQueuedBytes", "10"));
        using var leave = new CancellationTokenSource();
        Task<HttpResponseMessage> only = gateway.PostAsync(Chat, ChatBody.Of(5), leave.Token);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 1);
        using HttpResponseMessage refused = await gateway.PostAsync(Chat, ChatBody.Of(5));
        Assert.Equal("queue_full", (await ApiServer.ErrorAsync(refused, 429)).GetProperty("code").GetString());
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => only);
    }

    [Fact]
    public async Task Without_any_worker_nothing_is_queued()
    {
        await using var fleet = new TestFleet(redis);
        HttpClient gateway = await fleet.StartGatewayAsync();
        using HttpResponseMessage refused = await gateway.PostAsync(Chat, ChatBody.Of(5));
        JsonElement error = await ApiServer.ErrorAsync(refused, 503);
        Assert.Equal("no_worker", error.GetProperty("code").GetString());
        Assert.Equal("5", refused.Headers.RetryAfter?.ToString());
        Assert.Equal("""{"object":"list","data":[]}""", await gateway.GetStringAsync(new Uri("/v1/models", UriKind.Relative)));
        Assert.Equal(0, await fleet.EntriesAsync());
    }

    [Fact]
    public async Task A_worker_that_drains_or_is_faulted_is_none()
    {
        await using var fleet = new TestFleet(redis);
        await Heartbeats.BeatAsync(fleet.Redis, Worker("draining") with { IsDraining = true });
        await Heartbeats.BeatAsync(fleet.Redis, Worker("faulted") with { IsFaulted = true });
        HttpClient gateway = await fleet.StartGatewayAsync();
        using HttpResponseMessage refused = await gateway.PostAsync(Chat, ChatBody.Of(5));
        Assert.Equal("no_worker", (await ApiServer.ErrorAsync(refused, 503)).GetProperty("code").GetString());
        Assert.Equal(0, await fleet.EntriesAsync());
    }

    [Fact]
    public async Task A_request_whose_last_worker_has_gone_is_given_up()
    {
        await using var fleet = new TestFleet(redis);
        await Heartbeats.BeatAsync(fleet.Redis, Worker("mortal"));
        HttpClient gateway = await fleet.StartGatewayAsync(("Gateway:HeartbeatMs", "100"), ("Gateway:SilentAfterMs", "200"), ("Gateway:NoWorkerSeconds", "1"));
        Task<HttpResponseMessage> waiting = gateway.PostAsync(Chat, ChatBody.Of(5));
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 1);
        await fleet.Redis.DelAsync([RedisKeys.Worker("mortal")]);

        using HttpResponseMessage refused = await waiting;
        Assert.Equal("no_worker", (await ApiServer.ErrorAsync(refused, 503)).GetProperty("code").GetString());
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 0);
    }

    private static WorkerStatus Worker(string id) => new() { Id = id, Model = TestFleet.Model, MaxContextTokens = 2048 };

    private static async Task<Heartbeats> BeatAsync(TestFleet fleet, double requestsPerSecond = 0)
    {
        WorkerStatus worker = Worker("takes-nothing") with { FinishedRequestsPerSecond = requestsPerSecond };
        await Heartbeats.BeatAsync(fleet.Redis, worker);
        return new Heartbeats(fleet.Redis, worker);
    }
}
