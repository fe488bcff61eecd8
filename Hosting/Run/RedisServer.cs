using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fastgen.Hosting.Run;

/// <summary>Decides how a Redis resource is started and writes down how it runs.</summary>
internal static class RedisServer
{
    // The image that Aspire publishes for the same resource.
    private const string Image = "docker.io/library/redis:8.6";

    // The container ends when its standard input does, and that ends with the host, however the host ends.
    private const string InContainer = "redis-server --requirepass \"$REDIS_PASSWORD\" --save '' --appendonly no & cat >/dev/null; kill $!; wait $!";

    /// <summary>redis-server, then valkey-server on the PATH, then a container engine that answers.</summary>
    /// <exception cref="DistributedApplicationException">None of them is there; says what to install.</exception>
    public static async Task<Func<Launch>> ResolveAsync(RedisResource redis, string? path, string scratchDirectory)
    {
        foreach (var name in (string[])["redis-server", "valkey-server"])
        {
            if (ProgramPath.Find(name, path) is { } server)
            {
                return () => Native(redis, server, scratchDirectory);
            }
        }

        var findings = new List<string>();
        if (await ContainerEngine.FindAsync(path, findings) is { } client)
        {
            return () => Container(redis, client);
        }

        throw new DistributedApplicationException(
            $"No Redis for '{redis.Name}': neither redis-server nor valkey-server is on the PATH and no container engine answers"
            + string.Concat(findings.Select(finding => "; " + finding))
            + ". Install one (Debian, Ubuntu: sudo apt-get install redis-server; Fedora: sudo dnf install valkey; macOS: brew install redis), start docker or podman, "
            + $"or name a running server: ConnectionStrings__{redis.Name}=host:port,password=...");
    }

    private static Launch Native(RedisResource redis, string server, string scratchDirectory)
    {
        var scratch = Directory.CreateDirectory(Path.Combine(scratchDirectory, redis.Name)).FullName;
        var configuration = Path.Combine(scratch, "redis.conf");
        // A file that only this user reads, since a command line is shown to everybody by ps.
        using (var file = new FileStream(configuration, UserOnly()))
        using (var writer = new StreamWriter(file))
        {
            writer.Write($"""
                bind 127.0.0.1
                protected-mode yes
                port {redis.Endpoint.Ports[0]}
                requirepass {redis.Password}
                save ""
                appendonly no
                dir {scratch}
                daemonize no

                """);
        }

        // redis-server refuses to start when the environment names a locale that the machine has not.
        return new Launch(server, [configuration], scratch, new Dictionary<string, string> { ["LC_ALL"] = "C" });
    }

    private static Launch Container(RedisResource redis, string client)
    {
        var name = $"fastgen-{redis.Name}-{Environment.ProcessId}-{redis.Endpoint.Ports[0]}";
        string[] arguments =
        [
            "run", "--rm", "--interactive", "--name", name,
            "--publish", $"127.0.0.1:{redis.Endpoint.Ports[0]}:6379",
            "--env", "REDIS_PASSWORD", // the value comes from the client's environment, unseen by ps
            "--entrypoint", "/bin/sh",
            Image, "-c", InContainer,
        ];
        return new Launch(client, arguments, Path.GetTempPath(), new Dictionary<string, string> { ["REDIS_PASSWORD"] = redis.Password }) { ContainerName = name };
    }

    private static FileStreamOptions UserOnly()
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return options;
    }
}
