using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fastgen.Services.Tests.Hosting;

[Collection("Hosting")] // tests that look for their processes by name
public sealed class OrderTests
{
    [Fact]
    public async Task A_dependent_starts_when_its_dependency_is_healthy_and_can_use_it_at_once()
    {
        await using var host = new HostFixture();
        var redis = host.Builder.AddRedis("redis");
        host.Builder.AddExecutable("client", "bash", ".", "-c",
                "exec 3<>/dev/tcp/127.0.0.1/$REDIS_PORT && printf 'AUTH %s\\r\\nSET a b\\r\\n' $REDIS_PASSWORD >&3 && read -r x <&3 && read -r y <&3 && echo said $x $y && sleep 60")
            .WithReference(redis)
            .WaitFor(redis);
        await host.StartAsync();
        Assert.Contains("+OK", (await host.Log.WaitForAsync("client", "said")).Text, StringComparison.Ordinal);
        Assert.DoesNotContain(host.Log.Of("host"), line => line.Text.Contains("restart", StringComparison.Ordinal));
        var healthy = await host.Log.WaitForAsync("host", "redis is healthy");
        Assert.True(healthy.At < host.Log.Of("client")[0].At);
    }

    [Fact]
    public async Task A_dependent_of_an_unhealthy_resource_does_not_start()
    {
        await using var host = new HostFixture();
        var sick = host.Builder.AddProject<Projects.Dashboard>("sick", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1")
            .WithHttpEndpoint()
            .WithHttpHealthCheck("/no-such-page-for-health");
        var well = host.Builder.AddProject<Projects.Dashboard>("well", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1")
            .WithHttpEndpoint()
            .WithHttpHealthCheck("/health");
        host.Builder.AddExecutable("after-sick", "echo", ".", "started").WaitFor(sick);
        host.Builder.AddExecutable("after-well", "echo", ".", "started").WaitFor(well);
        var app = await host.StartAsync();

        await host.Log.WaitForAsync("after-well", "started");
        await app.ResourceNotifications.WaitForResourceAsync("sick", KnownResourceStates.Running);
        await Task.Delay(1_000);
        Assert.Empty(host.Log.Of("after-sick"));
        await app.ResourceNotifications.WaitForResourceAsync("after-sick", KnownResourceStates.Waiting);
    }

    [Fact]
    public async Task A_resource_that_cannot_be_started_fails_its_dependents_with_the_reason()
    {
        await using var host = new HostFixture();
        var missing = host.Builder.AddExecutable("missing", "no-such-program-here", ".");
        host.Builder.AddExecutable("after", "echo", ".", "started").WaitFor(missing);
        var app = await host.StartAsync();
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(
            () => app.ResourceNotifications.WaitForResourceHealthyAsync("after").WaitAsync(Eventually.Limit));
        Assert.Contains("no-such-program-here", error.Message, StringComparison.Ordinal);
        Assert.Contains("PATH", error.Message, StringComparison.Ordinal);
        Assert.Empty(host.Log.Of("after"));
    }

    [Fact]
    public async Task Dependents_stop_before_their_dependencies()
    {
        await using var host = new HostFixture();
        const string Script = "trap 'sleep 0.3; echo ended; exit 0' TERM; echo started; while :; do sleep 0.05; done";
        var first = host.Builder.AddExecutable("first", "sh", ".", "-c", Script);
        var second = host.Builder.AddExecutable("second", "sh", ".", "-c", Script).WaitFor(first);
        host.Builder.AddExecutable("third", "sh", ".", "-c", Script).WaitFor(second);
        var app = await host.StartAsync();
        await host.Log.WaitForAsync("third", "started");
        await app.StopAsync();
        Assert.Equal(["third", "second", "first"], host.Log.Lines.Where(line => line.Text == "ended").Select(line => line.Source));
    }

    [Fact]
    public async Task Resources_that_wait_for_each_other_are_refused()
    {
        await using var host = new HostFixture();
        var a = host.Builder.AddExecutable("a", "true", ".");
        var b = host.Builder.AddExecutable("b", "true", ".").WaitFor(a);
        a.WaitFor(b);
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(host.StartAsync);
        Assert.Contains("a waits for b waits for a", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ready_is_told_once_when_the_resource_is_healthy()
    {
        await using var host = new HostFixture();
        var told = new TaskCompletionSource<bool>();
        var redis = host.Builder.AddRedis("redis");
        host.Builder.Eventing.Subscribe<ResourceReadyEvent>(redis.Resource, (ready, _) =>
        {
            told.SetResult(ReferenceEquals(ready.Resource, redis.Resource) && host.Log.Of("host").Any(l => l.Text == "redis is healthy"));
            return Task.CompletedTask;
        });
        await host.StartAsync();
        Assert.True(await told.Task.WaitAsync(Eventually.Limit));
    }
}
