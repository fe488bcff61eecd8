using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Fastgen.Services.Tests.Hosting;

[Collection("Hosting")] // tests that look for their processes by name
public sealed class StopTests
{
    [Fact]
    public async Task Stop_leaves_no_process_and_no_file()
    {
        await using var host = new HostFixture();
        // Other tests of this process start services at the same time; this one's carry a mark.
        var mark = Guid.NewGuid().ToString("N");
        host.Builder.AddRedis("redis");
        host.Builder.AddProject<Projects.Dashboard>("dashboard", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithEnvironment("TEST_MARK", mark).WithHttpEndpoint().WithHttpHealthCheck("/health");
        host.Builder.AddExecutable("parent", "sh", ".", "-c", "sleep 86399 & sleep 86399 & echo started; wait").WithEnvironment("TEST_MARK", mark);
        var app = await host.StartAsync();
        await host.Log.WaitForAsync("parent", "started");
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis").WaitAsync(Eventually.Limit);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("dashboard").WaitAsync(Eventually.Limit);
        // A forked shell becomes a sleep only a moment later.
        await Eventually.SeeAsync(() => Mine().Count(p => p.CommandLine.StartsWith("sleep 86399", StringComparison.Ordinal)), count => count == 2);
        Assert.Contains(Mine(), p => p.CommandLine.EndsWith("Fastgen.Dashboard.dll ", StringComparison.Ordinal));
        var (_, scratch) = RunningProcess.GuardOf(Environment.ProcessId);
        Assert.True(Directory.Exists(scratch));
        var redis = "redis-server 127.0.0.1:" + (await app.GetConnectionStringAsync("redis"))!.Split(':', ',')[1];
        Assert.Single(RunningProcess.WithArgument(redis)); // it writes its title over its environment, so it is not among mine

        await app.StopAsync();
        await Eventually.SeeAsync(() => string.Join(' ', Mine().Select(p => p.CommandLine)), left => left == "");
        Assert.Empty(RunningProcess.WithArgument(redis));
        await app.DisposeAsync();
        await Eventually.SeeAsync(() => RunningProcess.WithArgument(scratch).Count, count => count == 0); // the guard
        Assert.False(Directory.Exists(scratch));

        IReadOnlyList<RunningProcess> Mine() => [.. RunningProcess.StartedBy(Environment.ProcessId).Where(p => p.Environment.GetValueOrDefault("TEST_MARK") == mark)];
    }

    [Fact]
    public async Task A_process_that_ignores_SIGTERM_is_killed_after_the_grace_time()
    {
        await using var host = new HostFixture("--Hosting:StopGraceMs=400");
        host.Builder.AddExecutable("stubborn", "sh", ".", "-c", "trap '' TERM; echo started; while :; do sleep 86397; done");
        var app = await host.StartAsync();
        await host.Log.WaitForAsync("stubborn", "started");
        var clock = Stopwatch.StartNew();
        await app.StopAsync();
        Assert.True(clock.Elapsed.TotalMilliseconds >= 390);
        Assert.Contains(host.Log.Of("host"), line => line.Text.Contains("stubborn was killed, since it did not end within 0.4 s of SIGTERM", StringComparison.Ordinal));
        await Eventually.SeeAsync(() => RunningProcess.WithArgument("sleep 86397").Count, count => count == 0);
    }

    [Fact]
    public async Task A_forced_stop_does_not_wait_for_the_grace_time()
    {
        await using var host = new HostFixture("--Hosting:StopGraceMs=600000");
        host.Builder.AddExecutable("stubborn", "sh", ".", "-c", "trap '' TERM; echo started; while :; do sleep 1; done");
        var app = await host.StartAsync();
        await host.Log.WaitForAsync("stubborn", "started");
        using var force = new CancellationTokenSource(300);
        await app.StopAsync(force.Token).WaitAsync(Eventually.Limit);
    }

    [Fact]
    public async Task A_stop_ends_waiting_and_restarting_too()
    {
        await using var host = new HostFixture("--Hosting:RestartDelayMs=600000", "--Hosting:RestartDelayMaxMs=600000");
        var sick = host.Builder.AddProject<Projects.Dashboard>("sick", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithHttpEndpoint().WithHttpHealthCheck("/no-such-page-for-health");
        host.Builder.AddExecutable("after", "echo", ".", "started").WaitFor(sick);
        host.Builder.AddExecutable("faulty", "false", ".");
        var app = await host.StartAsync();
        await host.Log.WaitForAsync("host", "restart 1 in 600.0 s");
        await app.StopAsync().WaitAsync(Eventually.Limit);
        await app.ResourceNotifications.WaitForResourceAsync("after", KnownResourceStates.Exited);
    }
}
