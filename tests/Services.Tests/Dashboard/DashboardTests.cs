using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fastgen.Contracts;
using Fastgen.ServiceDefaults.Redis;
using Fastgen.Services.Tests.Redis;

namespace Fastgen.Services.Tests.Dashboard;

/// <summary>The dashboard's process against a real Redis.</summary>
public sealed partial class DashboardTests
{
    [Fact]
    public async Task The_page_shows_workers_models_rates_and_the_queue()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options);
        await using DashboardProcess dashboard = await DashboardProcess.StartAsync($"127.0.0.1:{server.Port}");
        Assert.Contains("No workers yet.", await dashboard.PageWhenAsync(page => Value(page, "running") == "0"), StringComparison.Ordinal);

        await using var beats = new Heartbeats(redis, Status("worker-a") with { RunningSequences = 3, WaitingSequences = 1, GeneratedTokensPerSecond = 1200.5, PromptTokensPerSecond = 40, TotalBlocks = 2048, FreeBlocks = 1500 }, Status("worker-b") with { RunningSequences = 4, WaitingSequences = 0, GeneratedTokensPerSecond = 34, PromptTokensPerSecond = 2, TotalBlocks = 2048, FreeBlocks = 2048 });
        await redis.ExecuteAsync("ZADD", RedisKeys.Workers, 1, "worker-that-died"); // its name is there, its heartbeat has expired
        string queue = RedisKeys.Requests("demo", PriorityClass.Normal);
        await redis.XGroupCreateAsync(queue, RedisKeys.WorkerGroup);
        for (var i = 0; i < 3; i++)
        {
            await redis.XAddAsync(queue, ["request", "{}"]);
        }

        await redis.XAddAsync(RedisKeys.Requests("demo", PriorityClass.High), ["request", "{}"]); // before any worker made the group
        await redis.XReadGroupAsync(RedisKeys.WorkerGroup, "worker-a", 1, [new RedisStreamOffset(queue, ">")]);

        string page = await dashboard.PageWhenAsync(page => Value(page, "queued") == "3" && Value(page, "running") == "7");
        Assert.Equal("1,234.5", Value(page, "generated"));
        Assert.Equal("42", Value(page, "prompt"));
        Assert.Equal("1", Value(page, "waiting"));
        Assert.Equal(["worker-a", "worker-b"], Workers().Matches(page).Select(match => match.Groups[1].Value));
        Assert.Contains("548 / 2,048", page, StringComparison.Ordinal);
        Assert.Contains("<code>demo</code> 4,096 tokens of context, 2 workers", page, StringComparison.Ordinal);
        Assert.Contains("2 of 2 ready.", page, StringComparison.Ordinal);
        Assert.DoesNotContain("No workers yet.", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_Redis_the_page_says_so_stays_healthy_and_recovers()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using DashboardProcess dashboard = await DashboardProcess.StartAsync($"127.0.0.1:{server.Port}");
        await using (var redis = new RedisClient(server.Options))
        {
            await Heartbeats.BeatAsync(redis, Status("worker-a"));
            await dashboard.PageWhenAsync(page => page.Contains("data-worker=\"worker-a\"", StringComparison.Ordinal));
        }

        await server.KillAsync();
        string page = await dashboard.PageWhenAsync(page => page.Contains("Redis does not answer", StringComparison.Ordinal));
        Assert.Equal("–", Value(page, "queued"));
        Assert.Equal(HttpStatusCode.OK, (await dashboard.Http.GetAsync(new Uri("/health", UriKind.Relative))).StatusCode);

        await server.StartAgainAsync();
        page = await dashboard.PageWhenAsync(page => !page.Contains("Redis does not answer", StringComparison.Ordinal));
        Assert.Contains("Gone", page, StringComparison.Ordinal); // the new server knows nothing of the worker
        Assert.Equal("0", Value(page, "queued"));
    }

    [Fact]
    public async Task What_workers_write_is_text_and_never_markup()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options);
        await Heartbeats.BeatAsync(redis, Status("\"><img src=x onerror=alert(1)>") with { Model = "<script>alert(2)</script>" });
        await redis.SetAsync(RedisKeys.Worker("garbled"), "{\"Id\":7", TimeSpan.FromMinutes(10));
        await redis.ExecuteAsync("ZADD", RedisKeys.Workers, 1, "garbled");
        await using DashboardProcess dashboard = await DashboardProcess.StartAsync($"127.0.0.1:{server.Port}");
        string page = await dashboard.PageWhenAsync(page => page.Contains("alert(2)", StringComparison.Ordinal));
        Assert.DoesNotContain("<script>alert", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.Contains("Heartbeats that cannot be read: 1.", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_comes_from_the_dashboard_itself_under_a_strict_policy()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using DashboardProcess dashboard = await DashboardProcess.StartAsync($"127.0.0.1:{server.Port}", ("Dashboard__GatewayUrl", "https://api.example.org"));
        using HttpResponseMessage response = await dashboard.Http.GetAsync(new Uri("/", UriKind.Relative));
        string policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        string page = await response.Content.ReadAsStringAsync();
        Assert.DoesNotMatch("<[^>]+ (style|on[a-z]+)=", page);
        string[] assets = [.. Assets().Matches(page).Select(match => match.Groups[1].Value)];
        Assert.Equal(3, assets.Length);
        foreach (string asset in assets)
        {
            Assert.StartsWith("/assets/", asset, StringComparison.Ordinal);
            using HttpResponseMessage file = await dashboard.Http.GetAsync(new Uri(asset, UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, file.StatusCode);
            Assert.Contains("immutable", file.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        }

        Assert.Contains("href=\"https://api.example.org/v1/models\"", page, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await dashboard.Http.GetAsync(new Uri("/assets/other.js", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task Updates_carry_only_what_changed()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        await using var redis = new RedisClient(server.Options);
        await using DashboardProcess dashboard = await DashboardProcess.StartAsync($"127.0.0.1:{server.Port}");
        using var limit = new CancellationTokenSource(Eventually.Limit);
        using var reader = new StreamReader(await dashboard.Http.GetStreamAsync(new Uri("/events", UriKind.Relative), limit.Token));
        Dictionary<string, string> first = await NextAsync(reader, limit.Token);
        Assert.Equal(["models", "notice", "resources", "throughput", "updated", "workers"], first.Keys.Order());
        Dictionary<string, string> second = await NextAsync(reader, limit.Token);
        Assert.DoesNotContain("models", second.Keys);
        while (!second.ContainsKey("updated"))
        {
            // The clock on the page shows seconds; two updates may fall into one.
            second = await NextAsync(reader, limit.Token);
            Assert.DoesNotContain("models", second.Keys);
        }

        await Heartbeats.BeatAsync(redis, Status("worker-a"));
        Dictionary<string, string> update = await NextAsync(reader, limit.Token);
        while (!update.ContainsKey("models"))
        {
            update = await NextAsync(reader, limit.Token);
        }

        Assert.Contains("worker-a", update["workers"], StringComparison.Ordinal);
    }

    private static async Task<Dictionary<string, string>> NextAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        while (true)
        {
            string? line = await reader.ReadLineAsync(cancellationToken);
            Assert.NotNull(line);
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                return JsonSerializer.Deserialize<Dictionary<string, string>>(line[6..])!;
            }
        }
    }

    private static WorkerStatus Status(string id) => new() { Id = id, Model = "demo", MaxContextTokens = 4096, AtUnixMs = 1 };

    private static string Value(string page, string key) => WebUtility.HtmlDecode(Regex.Match(page, $"data-value=\"{key}\">([^<]*)<").Groups[1].Value);

    [GeneratedRegex("data-worker=\"([^\"]*)\"")]
    private static partial Regex Workers();

    [GeneratedRegex("<(?:link|script)[^>]*(?:href|src)=\"([^\"]*)\"")]
    private static partial Regex Assets();
}
