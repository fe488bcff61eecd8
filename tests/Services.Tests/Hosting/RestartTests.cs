using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Fastgen.Services.Tests.Hosting;

[Collection("Hosting")] // tests that look for their processes by name
public sealed class RestartTests
{
    [Fact]
    public async Task A_process_that_dies_is_started_again_after_a_doubling_wait()
    {
        await using var host = new HostFixture("--Hosting:RestartDelayMs=150");
        host.Builder.AddExecutable("faulty", "sh", ".", "-c", "echo started; exit 3");
        await host.StartAsync();
        await host.Log.WaitForAsync("faulty", "started", count: 4);
        var starts = host.Log.Of("faulty");
        for (var i = 1; i < 4; i++)
        {
            var waited = starts[i].At - starts[i - 1].At;
            // The kernel's coarse clock, by which timers run, may be some milliseconds behind.
            Assert.True(waited >= TimeSpan.FromMilliseconds(130 * Math.Pow(2, i - 1)), $"restart {i} came after {waited.TotalMilliseconds} ms");
        }

        Assert.Contains("faulty exited with code 3 after", (await host.Log.WaitForAsync("host", "restart 2 in")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_wait_before_a_restart_has_a_limit()
    {
        await using var host = new HostFixture("--Hosting:RestartDelayMs=40", "--Hosting:RestartDelayMaxMs=80");
        host.Builder.AddExecutable("faulty", "sh", ".", "-c", "echo started; exit 1");
        await host.StartAsync();
        // Without the limit the waits would add up to 40 ms × (2^13 − 1), which is 328 s.
        Assert.True(Eventually.Limit < TimeSpan.FromSeconds(300));
        await host.Log.WaitForAsync("faulty", "started", count: 14);
    }

    [Fact]
    public async Task A_program_that_ends_well_is_not_started_again()
    {
        await using var host = new HostFixture("--Hosting:RestartDelayMs=10");
        host.Builder.AddExecutable("task", "echo", ".", "done");
        var app = await host.StartAsync();
        await app.ResourceNotifications.WaitForResourceAsync("task", KnownResourceStates.Finished).WaitAsync(Eventually.Limit);
        await host.Log.WaitForAsync("task", "done");
        await Task.Delay(200);
        Assert.Single(host.Log.Of("task"));
    }

    [Fact]
    public async Task A_killed_redis_comes_back_at_the_same_address()
    {
        await using var host = new HostFixture("--Hosting:RestartDelayMs=50");
        host.Builder.AddRedis("redis");
        var app = await host.StartAsync();
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis").WaitAsync(Eventually.Limit);
        var connection = (await app.GetConnectionStringAsync("redis"))!;
        var port = int.Parse(connection.Split(':', ',')[1], null);

        var killed = RedisOn(port)[0].Id;
        Process.GetProcessById(killed).Kill();
        await Eventually.SeeAsync(() => RedisOn(port), found => found.Count == 1 && found[0].Id != killed);
        await Eventually.SeeAsync(() => RedisClient.Ask(connection, "PING"), reply => reply == "+PONG");
        await host.Log.WaitForAsync("host", "redis exited with code 137");
    }

    [Fact]
    public async Task One_killed_replica_comes_back_and_the_other_stays()
    {
        await using var host = new HostFixture("--Hosting:RestartDelayMs=50");
        host.Builder.AddProject<Projects.Dashboard>("twins", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithHttpEndpoint().WithReplicas(2);
        await host.StartAsync();
        var before = await Eventually.SeeAsync(Twins, found => found.Count == 2);
        Process.GetProcessById(before[0].Id).Kill();
        var after = await Eventually.SeeAsync(Twins, found => found.Count == 2 && found.All(p => p.Id != before[0].Id));
        Assert.Contains(after, p => p.Id == before[1].Id);
        Assert.Equal(before.Select(p => p.Environment["ASPNETCORE_URLS"]).Order(), after.Select(p => p.Environment["ASPNETCORE_URLS"]).Order());
    }

    private static IReadOnlyList<RunningProcess> Twins() => [.. RunningProcess.StartedBy(Environment.ProcessId)
        .Where(p => p.Environment.GetValueOrDefault("OTEL_SERVICE_NAME") == "twins" && p.CommandLine.Split(' ')[0].EndsWith("/dotnet", StringComparison.Ordinal))];

    private static IReadOnlyList<RunningProcess> RedisOn(int port) => RunningProcess.WithArgument($"redis-server 127.0.0.1:{port}");
}
