using System.Text;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;
using Fastgen.Services.Tests.Fleet;

namespace Fastgen.Services.Tests.InferenceWorker;

/// <summary>A worker with the demo model and a real Redis; the test writes what gateways, or others, may write.</summary>
[Collection(FleetTests.Name)]
public sealed class WorkerTests(FleetRedis redis)
{
    [Fact]
    public async Task No_entry_hurts_the_worker_and_each_is_acknowledged()
    {
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync();
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();

        // Nobody can be told of these.
        await writer.WriteAsync("rubbish", "x");
        await writer.WriteAsync(RequestFields.Gateway, EntryWriter.GatewayId, RequestFields.Body, "{}");
        await writer.WriteAsync(RequestFields.Gateway, EntryWriter.GatewayId, RequestFields.Ticket, "one", RequestFields.Body, "{}");
        await writer.WriteAsync(RequestFields.Gateway, EntryWriter.GatewayId, RequestFields.Ticket, "99999999999999999999", RequestFields.Body, "{}");
        await writer.WriteAsync(RequestFields.Gateway, new byte[1_000_000], RequestFields.Ticket, 1, RequestFields.Body, "{}");
        await writer.WriteAsync(RequestFields.Gateway, "", RequestFields.Ticket, 1, RequestFields.Body, "{}");
        await writer.WriteAsync(RequestFields.Gateway, "no-such-gateway", RequestFields.Ticket, 1, RequestFields.Body, "{");

        RedisArg[] hostile =
        [
            "",
            "{",
            "null",
            "[]",
            "{}",
            """{"Id":null,"Model":null}""",
            """{"Id":"r","Model":"demo","PromptText":"a","Sampling":null}""",
            """{"Id":"r","Model":"demo","PromptText":"a","Choices":2000000000}""",
            """{"Id":"r","Model":"demo","PromptText":"a","Choices":-1}""",
            """{"Id":"r","Model":"demo","PromptText":"a","Choices":3000}""",
            """{"Id":"r","Model":"demo","PromptText":"a","PromptTokens":[1]}""",
            """{"Id":"r","Model":"demo"}""",
            """{"Id":"r","Model":"demo","Messages":{"role":"user"}}""",
            """{"Id":"r","Model":"demo","PromptTokens":[-1]}""",
            """{"Id":"r","Model":"demo","PromptText":"a","Sampling":{"Temperature":"NaN"}}""",
            """{"Id":"r","Model":"demo","PromptText":"a","Sampling":{"StopTokenIds":null,"Stop":[null]}}""",
            """{"Id":"r","Model":"demo","PromptText":"a","Sampling":{"LogitBias":{"x":1}}}""",
            """{"Id":"r","Model":"demo","Messages":""" + new string('[', 5_000),
            """{"Id":"r","Model":"demo","PromptText":"\ud800"}""",
            new byte[] { 0x7B, 0xFF, 0xFE, 0x7D },
            """{"Id":"r","Model":"demo","PromptText":""" + '"' + new string('x', 8_000_000) + "\"}",
            Encoding.UTF8.GetBytes("{\"Id\":\"r\",\"Model\":\"demo\",\"PromptTokens\":[" + string.Join(',', Enumerable.Repeat("1", 1_000_000)) + "]}"),
        ];
        for (int i = 0; i < hostile.Length; i++)
        {
            await writer.SubmitAsync(100 + i, hostile[i]);
        }

        await writer.SubmitAsync(9, EntryWriter.Request(tokens: 7));
        Assert.Equal(7, Assert.Single(await writer.RepliesAsync(9), item => item.Event?.Usage is not null).Event!.Usage!.CompletionTokens);
        for (int i = 0; i < hostile.Length; i++)
        {
            ReplyItem last = (await writer.RepliesAsync(100 + i))[^1];
            Assert.True(last.Failure is not null, $"Hostile body {i} was answered with {last}.");
            Assert.NotEqual("", last.Failure.Message);
        }

        await fleet.AssertNothingIsHeldAsync();
        Assert.Empty(await fleet.Redis.XPendingAsync(EntryWriter.Stream, RedisKeys.WorkerGroup, 10));
    }

    [Fact]
    public async Task A_request_for_another_model_is_refused()
    {
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync();
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();
        await writer.SubmitAsync(1, EntryWriter.Request(tokens: 5) with { Model = "other" });
        GenerationException refusal = Assert.Single(await writer.RepliesAsync(1)).Failure!;
        Assert.Equal((GenerationErrorKind.ModelNotFound, "model_not_found"), (refusal.Kind, refusal.Code));
        Assert.Contains("'other'", refusal.Message, StringComparison.Ordinal);
        await fleet.AssertNothingIsHeldAsync();
    }

    [Fact]
    public async Task A_worker_takes_no_more_than_it_has_room_for()
    {
        const int Requests = 12;
        const int MaxRunning = 3;
        await using var fleet = new TestFleet(redis);
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();
        for (int i = 0; i < Requests; i++)
        {
            await writer.SubmitAsync(i, EntryWriter.Request(tokens: 300));
        }

        await fleet.StartWorkerAsync(("Engine:MaxRunningSequences", $"{MaxRunning}"));
        int most = 0;
        await Eventually.BeTrueAsync(async () =>
        {
            RedisPendingEntry[] taken = await fleet.Redis.XPendingAsync(EntryWriter.Stream, RedisKeys.WorkerGroup, Requests);
            most = Math.Max(most, taken.Length);
            return await fleet.EntriesAsync() == 0;
        });

        // Requests of one sequence each; acknowledged ones leave the list when their room is free, or a moment before.
        Assert.InRange(most, 0, MaxRunning);
        for (int i = 0; i < Requests; i++)
        {
            Assert.Equal(300, (await writer.RepliesAsync(i)).Sum(item => item.Event!.TokenIds.Count));
        }

        await fleet.AssertNothingIsHeldAsync();
    }

    [Fact]
    public async Task More_requests_than_there_are_blocks_for_are_all_answered_in_full()
    {
        const int Requests = 20;
        await using var fleet = new TestFleet(redis);
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();
        for (int i = 0; i < Requests; i++)
        {
            // No two prompts alike, so that no block serves two.
            int[] prompt = [.. Enumerable.Range(0, 200).Select(position => 300 + ((position * 7) + (i * 131)) % 3000)];
            await writer.SubmitAsync(i, EntryWriter.Request(tokens: 100) with { PromptText = null, PromptTokens = prompt });
        }

        // Blocks for some 1,100 or 2,200 tokens, by the width of a number; the requests have 6,000.
        await fleet.StartWorkerAsync(("Engine:MaxContextTokens", "512"), ("Engine:KvCacheBytes", "9000000"));
        for (int i = 0; i < Requests; i++)
        {
            Assert.Equal(100, (await writer.RepliesAsync(i)).Sum(item => item.Event!.TokenIds.Count));
        }

        WorkerStatus worker = await fleet.AssertNothingIsHeldAsync();
        Assert.InRange(worker.TotalBlocks * worker.BlockSize, 300, 4000);
    }

    [Fact]
    public async Task An_entry_of_a_dead_worker_goes_back_to_its_gateway_and_what_that_submits_anew_is_gone_on_with()
    {
        await using var fleet = new TestFleet(redis);
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();
        await fleet.Redis.XGroupCreateAsync(EntryWriter.Stream, RedisKeys.WorkerGroup, "0");
        string entry = await writer.SubmitAsync(1, EntryWriter.Request(tokens: 5));
        await fleet.Redis.XReadGroupAsync(RedisKeys.WorkerGroup, "dead-worker", 1, [new RedisStreamOffset(EntryWriter.Stream, ">")]);
        await fleet.Redis.ExecuteAsync("XCLAIM", EntryWriter.Stream, RedisKeys.WorkerGroup, "dead-worker", 0, entry, "IDLE", 3_600_000);

        await fleet.StartWorkerAsync();
        Assert.Equal(ReleaseReason.WorkerLost, Assert.Single(await writer.RepliesAsync(1)).Release);

        // What the gateway then submits: the caller has two tokens, and gets the others.
        await writer.SubmitAsync(2, EntryWriter.Request(tokens: 5));
        int[] all = [.. (await writer.RepliesAsync(2)).SelectMany(item => item.Event!.TokenIds)];
        await writer.SubmitAsync(3, EntryWriter.Request(tokens: 5) with { Resumed = [new ResumedChoice([.. all.Take(2)], 7, false)] });
        List<ReplyItem> rest = [.. await writer.RepliesAsync(3)];
        Assert.Equal(all.Skip(2), rest.SelectMany(item => item.Event!.TokenIds));
        Assert.Equal((2, 7), (rest[0].TokenOffset, rest[0].TextOffset));
        Assert.Equal(5, rest[^1].Event!.Usage!.CompletionTokens);
        await fleet.AssertNothingIsHeldAsync();
    }
}
