using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Fastgen.Hosting.Run;

/// <summary>A started process that ends, with all that it starts, when this host stops it or dies.</summary>
/// <remarks>
/// It leads a session of its own, which keeps the terminal's Ctrl-C from it: the host alone decides who stops when.
/// <see cref="ProcessGuard"/> ends it when the host cannot.
/// </remarks>
internal sealed partial class ChildProcess : IDisposable
{
    private const int SigKill = 9;
    private const int SigTerm = 15;

    /// <summary>Runs a program in a session and process group of its own; util-linux has it, macOS does not.</summary>
    public static readonly string? Setsid = ProgramPath.Find("setsid");

    // What a service must decide for itself or be told by the app host, never get from the shell that runs the host.
    private static readonly string[] NotInherited = ["ASPNETCORE_URLS", "DOTNET_LAUNCH_PROFILE", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"];

    private readonly Process _process;
    private readonly Launch _launch;
    private readonly ProcessGuard _guard;
    private readonly Task _output;

    private ChildProcess(Process process, Launch launch, ProcessGuard guard, Action<string> writeLine)
    {
        _process = process;
        _launch = launch;
        _guard = guard;
        _output = Task.WhenAll(PumpAsync(process.StandardOutput, writeLine), PumpAsync(process.StandardError, writeLine));
        Exited = WaitAsync();
    }

    /// <summary>The exit code, when the process has ended and its output is read.</summary>
    public Task<int> Exited { get; }

    /// <param name="writeLine">Takes the lines of standard output and standard error, from two threads.</param>
    /// <exception cref="Win32Exception">The program cannot be started.</exception>
    public static ChildProcess Start(Launch launch, ProcessGuard guard, Action<string> writeLine)
    {
        var start = new ProcessStartInfo
        {
            WorkingDirectory = launch.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in NotInherited)
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in launch.Environment)
        {
            start.Environment[name] = value;
        }

        start.Environment["FASTGEN_PARENT_PID"] = $"{Environment.ProcessId}";
        List<string> command = [launch.FileName, .. launch.Arguments];
        if (!OperatingSystem.IsWindows())
        {
            if (!launch.FileName.Contains('/') && ProgramPath.Find(launch.FileName) is null)
            {
                throw new Win32Exception($"'{launch.FileName}' is not on the PATH");
            }

            if (Setsid is not null)
            {
                command.Insert(0, Setsid);
            }
        }

        start.FileName = command[0];
        command.Skip(1).ToList().ForEach(start.ArgumentList.Add);
        var process = Process.Start(start)!;
        if (launch.ContainerName is null)
        {
            guard.Watch(process.Id);
            process.StandardInput.Close();
        }

        return new ChildProcess(process, launch, guard, writeLine);
    }

    /// <summary>Asks the process to end, and kills it when <paramref name="grace"/> has passed or <paramref name="force"/> is set.</summary>
    /// <returns>False when it had to be killed.</returns>
    public async Task<bool> StopAsync(TimeSpan grace, CancellationToken force)
    {
        if (OperatingSystem.IsWindows())
        {
            _process.Kill(entireProcessTree: true);
            await Exited;
            return true;
        }

        if (_launch.ContainerName is null)
        {
            Signal(_process.Id, SigTerm);
        }
        else
        {
            _process.StandardInput.Close();
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(force);
        limit.CancelAfter(grace);
        await Task.WhenAny(Exited, Task.Delay(Timeout.Infinite, limit.Token));
        if (Exited.IsCompleted)
        {
            return true;
        }

        if (_launch.ContainerName is { } container)
        {
            await ContainerEngine.RunAsync(_launch.FileName, ["rm", "--force", container], TimeSpan.FromSeconds(10));
        }

        Signal(_process.Id, SigKill);
        await Exited;
        return false;
    }

    public void Dispose() => _process.Dispose();

    private async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync();
        if (!OperatingSystem.IsWindows() && Setsid is not null)
        {
            Signal(-_process.Id, SigKill); // what the process left behind in its group
        }

        if (_launch.ContainerName is null)
        {
            _guard.Release(_process.Id);
        }

        await Task.WhenAny(_output, Task.Delay(TimeSpan.FromSeconds(2)));
        return _process.ExitCode;
    }

    private static async Task PumpAsync(StreamReader reader, Action<string> writeLine)
    {
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                writeLine(line);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // the process was killed while it wrote
        }
    }

    private static void Signal(int processOrGroup, int signal)
    {
        // ESRCH: it has ended meanwhile, which is what was wanted. Nothing else can happen to our own children.
        _ = Kill(processOrGroup, signal);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processOrGroup, int signal);
}
