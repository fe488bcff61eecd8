using System.Globalization;
using Fastgen.Contracts;
using Fastgen.InferenceWorker;
using Fastgen.Services.Tests.Fleet;
using Microsoft.Extensions.DependencyInjection;

namespace Fastgen.Services.Tests.InferenceWorker;

/// <summary>Workers of a model share its requests, whoever of them reads faster.</summary>
[Collection(FleetTests.Name)]
public sealed class FairShareTests(FleetRedis redis)
{
    private const int Tokens = 1900;

    // None of the requests comes to its end within a test, nor to that of the blocks.
    private static readonly (string, string) Room = ("Engine:KvCacheBytes", "150000000");

    [Fact]
    public async Task A_worker_that_has_more_leaves_what_comes_to_the_other()
    {
        const int Before = 12;
        const int After = 10;
        const int Choices = 3;
        await using var fleet = new TestFleet(redis);
        var writer = new EntryWriter(fleet.Redis);
        await writer.OpenAsync();
        await fleet.StartWorkerAsync(Room);
        for (int i = 0; i < Before; i++)
        {
            await writer.SubmitAsync(i, Long(Choices));
        }

        RunningRequests first = Requests(fleet, 0);
        await Eventually.SeeAsync(() => first.Count, count => count == Before);
        await fleet.StartWorkerAsync(Room);
        RunningRequests second = Requests(fleet, 1);
        string name = fleet.WorkerServices[1].GetRequiredService<WorkerIdentity>().Id;
        for (int i = 0; i < After; i++)
        {
            // Who does not wait for requests cannot be given one: the other takes what is left for too long.
            await Eventually.BeTrueAsync(() => IsWaitingAsync(fleet, name));
            await writer.SubmitAsync(Before + i, Long(Choices));
            await Eventually.SeeAsync(() => first.LastNumber + second.LastNumber, taken => taken == Before + i + 1);
        }

        // By turns it would be half of them.
        Assert.InRange(second.LastNumber, After - 2, After);
        await EndAsync(fleet, [first, second]);
    }

    [Fact]
    public async Task A_burst_is_shared_out()
    {
        const int Burst = 24;
        const int Rounds = 8;
        await using var fleet = new TestFleet(redis);
        await fleet.StartWorkerAsync();
        await fleet.StartWorkerAsync();
        RunningRequests[] workers = [Requests(fleet, 0), Requests(fleet, 1)];
        string[] names = [.. fleet.WorkerServices.Select(services => services.GetRequiredService<WorkerIdentity>().Id)];
        var writer = new EntryWriter(fleet.Redis);
        var shares = new List<long>();
        // A worker that has no processor for some tens of milliseconds leaves its share to the other. Without shares, though, who
        // reads first takes nearly all of each burst.
        while (!shares.Exists(share => share is >= Burst / 3 and <= 2 * Burst / 3))
        {
            Assert.True(shares.Count < Rounds, $"Of each {Burst} requests one worker took {string.Join(", ", shares)}.");
            foreach (string name in names)
            {
                await Eventually.BeTrueAsync(() => IsWaitingAsync(fleet, name));
            }

            await writer.OpenAsync();
            long[] before = [.. workers.Select(worker => worker.LastNumber)];
            await Task.WhenAll(Enumerable.Range(0, Burst).Select(i => writer.SubmitAsync((shares.Count * Burst) + i, Long())));
            await Eventually.SeeAsync(() => workers.Sum(worker => worker.LastNumber) - before.Sum(), taken => taken == Burst);
            shares.Add(workers[0].LastNumber - before[0]);
            await EndAsync(fleet, workers);
        }
    }

    private static GenerationRequest Long(int choices = 1) => EntryWriter.Request(Tokens, choices);

    private static RunningRequests Requests(TestFleet fleet, int worker) => fleet.WorkerServices[worker].GetRequiredService<RunningRequests>();

    /// <summary>Whether Redis holds a worker's read until there is something to read.</summary>
    private static async Task<bool> IsWaitingAsync(TestFleet fleet, string worker)
    {
        string clients = (await fleet.Redis.ExecuteAsync("CLIENT", "LIST")).AsString()!;
        string pulling = Assert.Single(clients.Split('\n'), line => line.Contains($"name=worker-{worker}-pull ", StringComparison.Ordinal));
        return pulling.Contains(" flags=b", StringComparison.Ordinal);
    }

    /// <summary>Nobody waits for the answers.</summary>
    private static async Task EndAsync(TestFleet fleet, RunningRequests[] workers)
    {
        await fleet.Redis.DelAsync([RedisKeys.Replies(EntryWriter.GatewayId)]);
        await Eventually.SeeAsync(() => workers.Sum(worker => worker.Count).ToString(CultureInfo.InvariantCulture), count => count == "0");
    }
}
