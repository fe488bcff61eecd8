using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Services.Tests.Fleet;
using Fastgen.Services.Tests.OpenAI;

namespace Fastgen.Services.Tests.Gateway;

/// <summary>Requests that end before their time: by deadline, by their client, by the death of a gateway or a worker.</summary>
[Collection(FleetTests.Name)]
public sealed class RequestLifeTests(FleetRedis redis)
{
    private const string ChatPath = "/v1/chat/completions";
    private static readonly Uri Chat = new(ChatPath, UriKind.Relative);

    [Fact]
    public async Task A_passed_deadline_ends_the_request_everywhere()
    {
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync();
        HttpClient gateway = await fleet.StartGatewayAsync(("Gateway:RequestTimeoutSeconds", "2"));
        using HttpResponseMessage whole = await gateway.PostAsync(Chat, ChatBody.Long());
        JsonElement error = await ApiServer.ErrorAsync(whole, 503);
        Assert.Equal("deadline_exceeded", error.GetProperty("code").GetString());
        WorkerStatus worker = await fleet.AssertNothingIsHeldAsync();
        Assert.InRange(worker.GeneratedTokens, 0, ChatBody.LongTokens - 1);
    }

    [Fact]
    public async Task A_client_that_leaves_the_queue_takes_its_request_along()
    {
        await using var fleet = new TestFleet(redis);
        // As many sequences as the first request has, so that there is no room for a second.
        await fleet.StartWorkerAsync(("Engine:MaxRunningSequences", "64"));
        HttpClient gateway = await fleet.StartGatewayAsync();
        using var leave = new CancellationTokenSource();
        using EventStream first = await EventStream.PostAsync(gateway, ChatPath, ChatBody.Long(stream: true));
        await first.NextAsync();
        Task<HttpResponseMessage> second = gateway.PostAsync(Chat, ChatBody.Of(5), leave.Token);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 2);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await Eventually.SeeAsync(() => fleet.EntriesAsync().AsTask(), count => count == 1);

        first.Dispose();
        WorkerStatus worker = await fleet.AssertNothingIsHeldAsync();
        Assert.Equal(1, worker.FinishedRequests);
    }

    [Fact]
    public async Task What_runs_for_a_killed_gateway_is_cancelled()
    {
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync();
        ServiceProcess gateway = await fleet.StartGatewayProcessAsync(("Gateway:HeartbeatMs", "200"), ("Gateway:DeadAfterMs", "4000"));
        using EventStream answer = await EventStream.PostAsync(gateway.Http, ChatPath, ChatBody.Long(stream: true));
        await answer.NextAsync();
        string id = Assert.Single((await fleet.Redis.ExecuteAsync("ZRANGE", RedisKeys.Gateways, 0, -1)).Items.ToArray()).AsString()!;
        Assert.Equal(1, (await fleet.Redis.ExecuteAsync("EXISTS", RedisKeys.Replies(id))).AsInt64());
        await gateway.KillAsync();
        await Assert.ThrowsAnyAsync<Exception>(answer.LastAsync);

        WorkerStatus worker = await fleet.AssertNothingIsHeldAsync();
        Assert.InRange(worker.GeneratedTokens, 1, ChatBody.LongTokens - 1);
        Assert.Equal(0, (await fleet.Redis.ExecuteAsync("EXISTS", RedisKeys.Replies(id))).AsInt64());
    }

    [Fact]
    public async Task A_gateway_that_is_told_to_stop_finishes_its_streams_and_takes_no_more()
    {
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync();
        ServiceProcess gateway = await fleet.StartGatewayProcessAsync(("ShutdownSeconds", "80"));
        using EventStream answer = await EventStream.PostAsync(gateway.Http, ChatPath, ChatBody.Of(1000, stream: true));
        await answer.NextAsync();
        await gateway.TerminateAsync();
        await Eventually.BeTrueAsync(async () =>
        {
            using var newcomer = new HttpClient { BaseAddress = gateway.Http.BaseAddress };
            try
            {
                using HttpResponseMessage taken = await newcomer.GetAsync(new Uri("/alive", UriKind.Relative));
                return false;
            }
            catch (HttpRequestException)
            {
                return true;
            }
        });

        Assert.Equal(1000, (await answer.LastAsync()).GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(0, await gateway.ExitCodeAsync());
        await fleet.AssertNothingIsHeldAsync();
    }

    [Fact]
    public async Task Streams_that_outlast_a_gateways_end_are_told_and_cancelled()
    {
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync();
        ServiceProcess gateway = await fleet.StartGatewayProcessAsync(("ShutdownSeconds", "6"));
        using EventStream answer = await EventStream.PostAsync(gateway.Http, ChatPath, ChatBody.Long(stream: true));
        await answer.NextAsync();
        await gateway.TerminateAsync();

        JsonElement error = (await answer.LastAsync()).GetProperty("error");
        Assert.Equal("gateway_stopping", error.GetProperty("code").GetString());
        Assert.Equal(0, await gateway.ExitCodeAsync());
        WorkerStatus worker = await fleet.AssertNothingIsHeldAsync();
        Assert.InRange(worker.GeneratedTokens, 1, ChatBody.LongTokens - 1);
        Assert.Equal(0, (await fleet.Redis.ExecuteAsync("EXISTS", RedisKeys.Gateways)).AsInt64());
    }

    [Fact]
    public async Task A_request_that_its_workers_die_of_is_not_tried_for_ever()
    {
        const int MaxWorkers = 2;
        (string, string)[] settings = [("Worker:HeartbeatMs", "200"), ("Worker:DeadAfterMs", "3000")];
        await using var fleet = new TestFleet(redis);
        ServiceProcess worker = await fleet.StartWorkerProcessAsync(settings);
        await TestFleet.WaitUntilHealthyAsync(worker.Http);
        HttpClient gateway = await fleet.StartGatewayAsync(("Gateway:NoWorkerSeconds", "600"), ("Gateway:MaxResubmissions", $"{MaxWorkers - 1}"));
        Task<HttpResponseMessage> asked = gateway.PostAsync(Chat, ChatBody.Long());
        for (int death = 1; death <= MaxWorkers; death++)
        {
            await Eventually.SeeAsync(fleet.WorkersAsync, workers => workers.Exists(status => status.ProcessId == worker.Id && status is { Requests: 1, RunningSequences: > 0 }));
            await worker.KillAsync();
            worker = await fleet.StartWorkerProcessAsync(settings);
        }

        using HttpResponseMessage answer = await asked;
        JsonElement error = await ApiServer.ErrorAsync(answer, 500);
        Assert.Equal("worker_lost", error.GetProperty("code").GetString());
        Assert.Contains($"given to {MaxWorkers} workers", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        WorkerStatus last = await fleet.AssertNothingIsHeldAsync();
        Assert.Equal((worker.Id, 0L), (last.ProcessId, last.GeneratedTokens));
    }
}
