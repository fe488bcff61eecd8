using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.Testing;
using Fastgen.Contracts;
using Fastgen.Contracts.Wire;
using Fastgen.ServiceDefaults.Redis;
using Microsoft.Playwright;

namespace Fastgen.EndToEnd.Tests;

/// <summary>The dashboard of the running system, in a real browser.</summary>
public sealed class DashboardTests
{
    private static readonly string[] Browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

    private static readonly string[] BrowserArguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    ];

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task A_browser_sees_numbers_move_without_reloading()
    {
        string? executable = Environment.GetEnvironmentVariable("FASTGEN_CHROMIUM") ?? Array.Find(Browsers, File.Exists);
        Assert.SkipWhen(executable is null, $"No Chromium at {string.Join(", ", Browsers)}; install it (apt-get install chromium fonts-dejavu-core) or name one in FASTGEN_CHROMIUM.");

        await using var appHost = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(["--Worker:Replicas=1"]);
        await using DistributedApplication app = await appHost.BuildAsync();
        await app.StartAsync();
        await app.ResourceNotifications.WaitForResourceHealthyAsync("dashboard").WaitAsync(StartLimit);
        Uri address = app.GetEndpoint("dashboard", "http");
        await using var redis = new RedisClient(RedisOptions.Parse((await app.GetConnectionStringAsync("redis"))!));

        using IPlaywright playwright = await Playwright.CreateAsync();
        await using IBrowser browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = executable, Args = BrowserArguments, Timeout = 60_000 });
        await using IBrowserContext context = await browser.NewContextAsync(new() { ColorScheme = ColorScheme.Dark, ViewportSize = new() { Width = 1200, Height = 900 } });
        context.SetDefaultTimeout(60_000);
        IPage page = await context.NewPageAsync();
        var complaints = new List<string>();
        var foreign = new List<string>();
        page.Console += (_, message) => { if (message.Type is "error" or "warning") { complaints.Add(message.Text); } };
        page.PageError += (_, error) => complaints.Add(error);
        page.Request += (_, request) => { if (new Uri(request.Url).Authority != address.Authority) { foreign.Add(request.Url); } };

        // Not until the network is idle: the stream of updates never ends.
        await page.GotoAsync(address.AbsoluteUri, new() { WaitUntil = WaitUntilState.DOMContentLoaded });
        await page.WaitForSelectorAsync("#link[data-state=live]");
        await page.EvaluateAsync("window.isSamePage = true");
        Assert.Equal("rgb(17, 20, 24)", await page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor"));

        const string Row = "[data-worker='browser-test']";
        var first = new WorkerStatus { Id = "browser-test", Model = "browser-model", MaxContextTokens = 777, GeneratedTokensPerSecond = 4321, TotalBlocks = 100, FreeBlocks = 25 };
        WorkerStatus now = first;
        using var stop = new CancellationTokenSource();
        Task beating = BeatAsync(redis, () => Volatile.Read(ref now), stop.Token);
        await page.WaitForSelectorAsync($"{Row} .badge.good");
        Assert.Equal("75", await page.GetAttributeAsync($"{Row} meter", "value"));
        Assert.Contains("4,321", await page.InnerTextAsync(Row), StringComparison.Ordinal);
        Assert.Contains("777 tokens of context", await page.InnerTextAsync("#models"), StringComparison.Ordinal);
        Volatile.Write(ref now, new WorkerStatus { Id = "browser-test", Model = "browser-model", GeneratedTokensPerSecond = 98_765 });
        await page.WaitForFunctionAsync($"() => document.querySelector(\"{Row}\").innerText.includes('98,765')");
        await page.WaitForSelectorAsync("[data-resource=redis] .badge.good");
        Assert.True(await page.EvaluateAsync<bool>("window.isSamePage"));

        // A telephone: nothing to scroll sideways to.
        await page.SetViewportSizeAsync(360, 740);
        Assert.Equal(360, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        await page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        Assert.Equal("rgb(245, 246, 248)", await page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor"));

        // Each value of the table is named for a screen reader, and the headings say what the regions are.
        Assert.Equal(["Throughput", "Resources", "Workers", "Models"], await page.Locator("section[aria-labelledby] h2").AllInnerTextsAsync());
        Assert.Equal(1, await page.Locator("#spoken[aria-live=polite]").CountAsync());
        Assert.Empty(complaints);
        Assert.Empty(foreign);
        await stop.CancelAsync();
        await beating;
    }

    /// <summary>A worker that is silent for some seconds is shown as such, so this one goes on.</summary>
    private static async Task BeatAsync(RedisClient redis, Func<WorkerStatus> status, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            // As new as any, so that no live worker forgets it meanwhile.
            WorkerStatus now = status() with { AtUnixMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() };
            await redis.SetAsync(RedisKeys.Worker(now.Id), JsonSerializer.Serialize(now, ContractsJson.Default.WorkerStatus), TimeSpan.FromMinutes(2), cancellationToken: CancellationToken.None);
            await redis.ExecuteAsync("ZADD", RedisKeys.Workers, now.AtUnixMs, now.Id);
            await Task.Delay(300, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
