using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.Gateway;
using Fastgen.InferenceWorker;
using Fastgen.ServiceDefaults.Redis;
using Fastgen.Services.Tests.Architecture;
using Microsoft.AspNetCore.Builder;

namespace Fastgen.Services.Tests.Fleet;

/// <summary>Gateways and workers of one test, with the demo model: in this process, or in others where a test kills them.</summary>
internal sealed class TestFleet : IAsyncDisposable
{
    public const string Model = "demo";

    private readonly string _connection;
    private readonly List<IAsyncDisposable> _parts = [];

    public TestFleet(FleetRedis redis)
    {
        _connection = redis.NextDatabase();
        Redis = new RedisClient(RedisOptions.Parse(_connection) with { CommandTimeout = Eventually.Limit });
    }

    public RedisClient Redis { get; }

    /// <summary>The parts of the workers in this process, in the order in which they were started.</summary>
    public List<IServiceProvider> WorkerServices { get; } = [];

    private static string ModelPath => Path.Combine(SourceTree.Root, "models", Model);

    private static (string Name, string Value)[] WorkerSettings =>
        [("Model:Path", ModelPath), ("Engine:Threads", "1"), ("Engine:KvCacheBytes", "50000000"), ("Engine:Device", "cpu")];

    /// <summary>A gateway in this process.</summary>
    public async Task<HttpClient> StartGatewayAsync(params (string Name, string Value)[] settings) =>
        await StartAsync(GatewayApplication.Build(Arguments(settings)));

    /// <summary>A worker in this process, which takes requests, and which gateways know, when this returns.</summary>
    public async Task<HttpClient> StartWorkerAsync(params (string Name, string Value)[] settings)
    {
        int before = (await WorkersAsync()).Count;
        WebApplication worker = WorkerApplication.Build(Arguments([.. WorkerSettings, .. settings]));
        HttpClient http = await StartAsync(worker);
        WorkerServices.Add(worker.Services);
        await WaitUntilHealthyAsync(http);
        await Eventually.SeeAsync(WorkersAsync, workers => workers.Count > before);
        return http;
    }

    public async Task<ServiceProcess> StartGatewayProcessAsync(params (string Name, string Value)[] settings) =>
        await StartProcessAsync("Fastgen.Gateway.dll", settings);

    public async Task<ServiceProcess> StartWorkerProcessAsync(params (string Name, string Value)[] settings) =>
        await StartProcessAsync("Fastgen.InferenceWorker.dll", [.. WorkerSettings, .. settings]);

    public static Task WaitUntilHealthyAsync(HttpClient service) => Eventually.BeTrueAsync(async () =>
    {
        using HttpResponseMessage response = await service.GetAsync(new Uri("/health", UriKind.Relative));
        return response.IsSuccessStatusCode;
    });

    /// <summary>What the living workers last said about themselves.</summary>
    public async Task<List<WorkerStatus>> WorkersAsync()
    {
        var workers = new List<WorkerStatus>();
        foreach (RespValue id in (await Redis.ExecuteAsync("ZRANGE", RedisKeys.Workers, 0, -1)).Items.ToArray())
        {
            if (await Redis.GetAsync(RedisKeys.Worker(id.AsString()!)) is { } json)
            {
                workers.Add(JsonSerializer.Deserialize(json, ContractsJson.Default.WorkerStatus)!);
            }
        }

        return workers;
    }

    /// <summary>Entries that wait or are being worked on.</summary>
    public ValueTask<long> EntriesAsync() => Redis.XLenAsync(RedisKeys.Requests(Model, PriorityClass.Normal));

    /// <summary>Waits until the one worker says that nothing runs and all its blocks are free, and no entry is left.</summary>
    public async Task<WorkerStatus> AssertNothingIsHeldAsync()
    {
        (_, List<WorkerStatus> workers) = await Eventually.SeeAsync(
            async () => (Entries: await EntriesAsync(), Workers: await WorkersAsync()),
            seen => seen is { Entries: 0, Workers: [{ Requests: 0, RunningSequences: 0, WaitingSequences: 0, TotalBlocks: > 0 } only] } && only.FreeBlocks == only.TotalBlocks);
        return workers[0];
    }

    public async ValueTask DisposeAsync()
    {
        _parts.Reverse();
        foreach (IAsyncDisposable part in _parts)
        {
            await part.DisposeAsync();
        }

        await Redis.DisposeAsync();
    }

    private string[] Arguments((string Name, string Value)[] settings) =>
        [$"--ConnectionStrings:redis={_connection}", "--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None", "--ShutdownSeconds=1", .. settings.Select(setting => $"--{setting.Name}={setting.Value}")];

    private async Task<HttpClient> StartAsync(WebApplication app)
    {
        _parts.Add(app);
        await app.StartAsync();
        var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()), Timeout = Eventually.Limit };
        _parts.Add(new Stopping(app, http));
        return http;
    }

    private async Task<ServiceProcess> StartProcessAsync(string assembly, (string Name, string Value)[] settings)
    {
        ServiceProcess process = await ServiceProcess.StartAsync(
            assembly, [("ConnectionStrings__redis", _connection), .. settings.Select(setting => (setting.Name.Replace(":", "__", StringComparison.Ordinal), setting.Value))]);
        _parts.Add(process);
        return process;
    }

    /// <summary>Ends a service as its supervisor would.</summary>
    private sealed class Stopping(WebApplication app, HttpClient http) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            http.Dispose();
            await app.StopAsync();
        }
    }
}
