using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

/// <summary>A real redis-server on a port of its own, which can be killed, frozen and started again.</summary>
internal sealed partial class RedisServer : IAsyncDisposable
{
    private readonly string[] _arguments;
    private readonly bool _tls;
    private Process? _process;

    private RedisServer(string folder, int port, bool tls, string[] arguments)
    {
        Folder = folder;
        Port = port;
        _tls = tls;
        _arguments = arguments;
    }

    public int Port { get; }

    public string Folder { get; }

    public RedisOptions Options => new() { Host = "127.0.0.1", Port = Port };

    public static string? Executable { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, "redis-server"))
        .FirstOrDefault(File.Exists);

    public static async Task<RedisServer> StartAsync(params string[] arguments)
    {
        RedisServer server = Create(false, arguments);
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Picks a port and a folder but starts nothing yet.</summary>
    public static RedisServer Create(bool tls = false, params string[] arguments)
    {
        Assert.SkipWhen(Executable is null, "redis-server is not on the PATH; install it (apt-get install redis-server) to run this test.");
        return new RedisServer(Directory.CreateTempSubdirectory("fastgen-redis-").FullName, LoopbackPort.Next(), tls, arguments);
    }

    public async Task StartAgainAsync(bool waitUntilReady = true)
    {
        var start = new ProcessStartInfo(Executable!) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        string[] fixedArguments = [_tls ? "--tls-port" : "--port", $"{Port}", .. (_tls ? new[] { "--port", "0" } : []), "--bind", "127.0.0.1", "--dir", Folder, "--enable-debug-command", "yes"];
        foreach (string argument in fixedArguments.Concat(_arguments))
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        var watch = Stopwatch.StartNew();
        while (waitUntilReady)
        {
            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync(IPAddress.Loopback, Port);
                return;
            }
            catch (SocketException) when (watch.Elapsed < Eventually.Limit)
            {
                Assert.False(_process.HasExited, "redis-server ended at once; its arguments may be wrong.");
                await Task.Delay(20);
            }
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGSTOP: the sockets stay open and nothing answers.</summary>
    public void Freeze() => Assert.Equal(0, Kill(_process!.Id, 19));

    /// <summary>SIGCONT.</summary>
    public void Thaw() => Assert.Equal(0, Kill(_process!.Id, 18));

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }

        _process?.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Waits until a client waits for the server, in a command such as BLPOP or XREAD BLOCK.</summary>
    public static Task WaitForBlockedClientAsync(RedisClient redis) =>
        Eventually.BeTrueAsync(async () => !(await redis.InfoAsync("clients")).Contains("blocked_clients:0", StringComparison.Ordinal));

    /// <summary>Waits until bytes have arrived that the server, being frozen, has not read.</summary>
    public Task WaitForUnreadBytesAsync() => Eventually.BeTrueAsync(() => File.ReadLines("/proc/net/tcp")
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        // Local address, state 01 (established), and the queues "sent:received" in hexadecimal.
        .Any(fields => fields[1].EndsWith($":{Port:X4}", StringComparison.Ordinal) && fields[3] == "01" && !fields[4].EndsWith(":00000000", StringComparison.Ordinal)));

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
