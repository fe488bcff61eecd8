using System.Diagnostics;

namespace Fastgen.Hosting.Run;

/// <summary>A small process that kills this host's children, and deletes its scratch folder, when the host ends in whatever way.</summary>
/// <remarks>
/// It reads from a pipe whose other end only the host holds. When the host is killed, the kernel closes that end and the
/// guard acts: nothing depends on the host's good end, and nothing polls. The children are not started through the guard's
/// shell, since some shells (dash) drop environment variables with a dot or a hyphen in their names.
/// </remarks>
internal sealed class ProcessGuard : IDisposable
{
    // $1: the scratch folder. Input: "+ pid" and "- pid". Each child leads a process group where setsid is there, else the child alone is killed.
    private const string Script = """
        exec >/dev/null 2>&1
        trap '' INT TERM HUP QUIT
        running=' '
        while read -r change pid; do
            case $change in
                +) running="$running$pid " ;;
                -) running="${running%% "$pid" *} ${running#* "$pid" }" ;;
            esac
        done
        for pid in $running; do
            kill -KILL -- "-$pid" || kill -KILL "$pid"
        done
        rm -rf -- "$1"
        """;

    private readonly Lock _lock = new();
    private readonly Process? _process;

    public ProcessGuard()
    {
        ScratchDirectory = Directory.CreateTempSubdirectory("fastgen-").FullName;
        if (!OperatingSystem.IsWindows())
        {
            var start = new ProcessStartInfo(ChildProcess.Setsid ?? "/bin/sh") { RedirectStandardInput = true };
            string[] shell = ["/bin/sh", "-c", Script, "fastgen-guard", ScratchDirectory];
            foreach (var argument in ChildProcess.Setsid is null ? shell[1..] : shell)
            {
                start.ArgumentList.Add(argument);
            }

            _process = Process.Start(start)!;
        }
    }

    /// <summary>Folder for what the children need on disk; only this user may read it, and it ends with the host.</summary>
    public string ScratchDirectory { get; }

    public void Watch(int processId) => Tell($"+ {processId}");

    public void Release(int processId) => Tell($"- {processId}");

    public void Dispose()
    {
        if (_process is not null)
        {
            _process.StandardInput.Dispose();
            _process.WaitForExit(TimeSpan.FromSeconds(5));
            _process.Dispose();
        }

        if (Directory.Exists(ScratchDirectory))
        {
            Directory.Delete(ScratchDirectory, recursive: true);
        }
    }

    private void Tell(string change)
    {
        lock (_lock)
        {
            try
            {
                _process?.StandardInput.WriteLine(change);
                _process?.StandardInput.Flush();
            }
            catch (IOException)
            {
                // Somebody killed the guard. The host still stops its children itself.
            }
        }
    }
}
