using System.ClientModel;
using System.Diagnostics;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.Testing;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;
using OpenAI;
using OpenAI.Chat;

namespace Fastgen.EndToEnd.Tests;

/// <summary>The whole system as its app host starts it, with the demo model and a real Redis.</summary>
internal sealed class Stack : IAsyncDisposable
{
    public const string Model = "demo";

    // A loaded machine compiles and starts five processes in this time; a healthy one needs a few seconds.
    public static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    private readonly IDistributedApplicationTestingBuilder _builder;

    private Stack(IDistributedApplicationTestingBuilder builder, DistributedApplication app, RedisClient redis)
    {
        _builder = builder;
        App = app;
        Redis = redis;
        GatewayUrl = app.GetEndpoint("gateway", "http");
    }

    public DistributedApplication App { get; }

    public RedisClient Redis { get; }

    public Uri GatewayUrl { get; }

    public static async Task<Stack> StartAsync(params string[] settings)
    {
        IDistributedApplicationTestingBuilder builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(settings);
        DistributedApplication app = await builder.BuildAsync();
        await app.StartAsync();
        foreach (string resource in (string[])["redis", "worker", "gateway"])
        {
            await app.ResourceNotifications.WaitForResourceHealthyAsync(resource).WaitAsync(StartLimit);
        }

        var redis = new RedisClient(RedisOptions.Parse((await app.GetConnectionStringAsync("redis"))!) with { CommandTimeout = StartLimit });
        return new Stack(builder, app, redis);
    }

    public ChatClient Chat(string model = Model) => new(model, new ApiKeyCredential("none"), new OpenAIClientOptions
    {
        Endpoint = new Uri(GatewayUrl, "v1"),
        // A test shall see the first answer and not what a retry makes of it.
        RetryPolicy = new System.ClientModel.Primitives.ClientRetryPolicy(0),
        NetworkTimeout = TimeSpan.FromMinutes(3),
    });

    /// <summary>What the living workers last said about themselves.</summary>
    public async Task<IReadOnlyList<WorkerStatus>> WorkersAsync()
    {
        var workers = new List<WorkerStatus>();
        RespValue ids = await Redis.ExecuteAsync("ZRANGE", RedisKeys.Workers, 0, -1);
        foreach (string id in ids.Items.ToArray().Select(id => id.AsString()!))
        {
            if (await Redis.GetAsync(RedisKeys.Worker(id)) is { } json)
            {
                workers.Add(JsonSerializer.Deserialize(json, ContractsJson.Default.WorkerStatus)!);
            }
        }

        return workers;
    }

    /// <summary>Waits until the workers, so many of them, say that nothing runs and every KV block is free, and no entry is left in the queue.</summary>
    public async Task AssertNothingIsHeldAsync(int workers = 2)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            IReadOnlyList<WorkerStatus> now = await WorkersAsync();
            long entries = 0;
            foreach (PriorityClass priority in Enum.GetValues<PriorityClass>())
            {
                entries += await Redis.XLenAsync(RedisKeys.Requests(Model, priority));
            }

            bool isFree = now.Count >= workers && entries == 0
                && now.All(worker => worker is { Requests: 0, RunningSequences: 0, WaitingSequences: 0 } && worker.FreeBlocks == worker.TotalBlocks && worker.TotalBlocks > 0);
            if (isFree)
            {
                return;
            }

            Assert.True(watch.Elapsed < StartLimit, $"{entries} entries are left; workers: {string.Join("; ", now)}");
            await Task.Delay(200);
        }
    }

    /// <summary>Waits until every gateway that lives has published a status that is newer than this call.</summary>
    public async Task WaitForGatewayStatusAsync()
    {
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var watch = Stopwatch.StartNew();
        while (!(await GatewaysAsync()).All(gateway => gateway.AtUnixMs > now))
        {
            Assert.True(watch.Elapsed < StartLimit, "A gateway publishes no status.");
            await Task.Delay(100);
        }
    }

    /// <summary>What the living gateways last said about themselves.</summary>
    public async Task<IReadOnlyList<GatewayStatus>> GatewaysAsync()
    {
        var gateways = new List<GatewayStatus>();
        RespValue ids = await Redis.ExecuteAsync("ZRANGE", RedisKeys.Gateways, 0, -1);
        foreach (string id in ids.Items.ToArray().Select(id => id.AsString()!))
        {
            if (await Redis.GetAsync(RedisKeys.Gateway(id)) is { } json)
            {
                gateways.Add(JsonSerializer.Deserialize(json, ContractsJson.Default.GatewayStatus)!);
            }
        }

        return gateways;
    }

    public async ValueTask DisposeAsync()
    {
        await Redis.DisposeAsync();
        await App.DisposeAsync();
        await _builder.DisposeAsync();
    }
}
