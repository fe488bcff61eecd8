using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Fastgen.Hosting.Run;

namespace Fastgen.Services.Tests.Hosting;

[Collection("Hosting")] // tests that look for their processes by name
public sealed class RedisResolutionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastgen-path-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Without_any_Redis_the_error_says_what_to_install()
    {
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => RedisServer.ResolveAsync(Redis(), _folder, _folder));
        foreach (var part in (string[])["No Redis for 'redis'", "neither redis-server nor valkey-server is on the PATH", "no container engine answers", "apt-get install redis-server", "ConnectionStrings__redis=host:port"])
        {
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_container_client_whose_engine_does_not_answer_is_named()
    {
        Program("docker", "echo 'Cannot connect to the daemon' >&2; exit 1");
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => RedisServer.ResolveAsync(Redis(), _folder, _folder));
        Assert.Contains($"{_folder}/docker is there but its engine does not answer (Cannot connect to the daemon)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_container_engine_that_hangs_is_given_up_after_its_time_limit()
    {
        Program("podman", "exec sleep 86398");
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(
            () => RedisServer.ResolveAsync(Redis(), _folder, _folder).WaitAsync(Eventually.Limit));
        Assert.Contains("podman is there but did not answer `info` within 5 s", error.Message, StringComparison.Ordinal);
        await Eventually.SeeAsync(() => RunningProcess.WithArgument("sleep 86398").Count, count => count == 0);
    }

    [Fact]
    public async Task The_order_is_redis_then_valkey_then_a_container()
    {
        Program("docker", "exit 0");
        Assert.Equal($"{_folder}/docker", (await RedisServer.ResolveAsync(Redis(), _folder, _folder))().FileName);
        Program("valkey-server", "exit 0");
        Assert.Equal("valkey-server", await NameAsync());
        Program("redis-server", "exit 0");
        Assert.Equal("redis-server", await NameAsync());

        async Task<string> NameAsync()
        {
            var launch = (await RedisServer.ResolveAsync(Redis(), _folder, _folder))();
            return Path.GetFileName(launch.FileName);
        }
    }

    [Fact]
    public async Task A_container_is_bound_to_loopback_hides_the_password_and_ends_with_the_hosts_pipe()
    {
        // Stands in for an engine that this machine may lack: does what `run --interactive` does with standard input.
        Program("docker", "[ \"$1\" = info ] || { echo \"args $*\"; echo \"password $REDIS_PASSWORD\"; cat; echo input ended; }");
        var redis = Redis();
        var launch = (await RedisServer.ResolveAsync(redis, _folder, _folder))();
        var arguments = string.Join(' ', launch.Arguments);
        Assert.Contains($"--publish 127.0.0.1:{redis.Endpoint.Ports[0]}:6379", arguments, StringComparison.Ordinal);
        Assert.Contains("--rm --interactive", arguments, StringComparison.Ordinal);
        Assert.DoesNotContain(redis.Password, arguments, StringComparison.Ordinal);

        var log = new CapturedLog();
        var logger = log.CreateLogger("docker");
        using var guard = new ProcessGuard();
        using var child = ChildProcess.Start(launch, guard, line => logger.Log(0, 0, line, null, (l, _) => l));
        await log.WaitForAsync("docker", "password " + redis.Password);
        Assert.True(await child.StopAsync(Eventually.Limit, CancellationToken.None));
        await log.WaitForAsync("docker", "input ended");
    }

    [Fact]
    public async Task The_started_server_asks_for_its_password_and_keeps_nothing()
    {
        await using var host = new HostFixture();
        host.Builder.AddRedis("redis");
        var app = await host.StartAsync();
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis").WaitAsync(Eventually.Limit);
        var connection = (await app.GetConnectionStringAsync("redis"))!;
        Assert.StartsWith("-NOAUTH", RedisClient.Ask(connection.Split(',')[0], "SET a b"), StringComparison.Ordinal);
        Assert.Equal("+OK", RedisClient.Ask(connection, "SET a b"));
        Assert.DoesNotContain(
            RunningProcess.WithArgument(connection.Split("password=")[1]), p => p.CommandLine.Contains("redis", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_given_server_is_passed_on_unchanged()
    {
        await using var host = new HostFixture("--ConnectionStrings:redis=cache.example:6390,password=a,ssl=true");
        var redis = host.Builder.AddConnectionString("redis");
        host.Builder.AddExecutable("client", "sh", ".", "-c", "echo got $ConnectionStrings__redis").WithReference(redis).WaitFor(redis);
        await host.StartAsync();
        Assert.Equal("got cache.example:6390,password=a,ssl=true", (await host.Log.WaitForAsync("client", "got")).Text);
    }

    private static RedisResource Redis()
    {
        var redis = new RedisResource("redis", null, () => "aVerySecretPassword");
        redis.Endpoint.Ports = [23456];
        return redis;
    }

    private void Program(string name, string script) => ShellScript.Write(Path.Combine(_folder, name), script);
}
