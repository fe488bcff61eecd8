using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Fastgen.Services.Tests.Tools;

/// <summary>One of the tools as a process of its own.</summary>
internal sealed partial class ToolProcess : IAsyncDisposable
{
    private const int Interrupt = 2;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly Task _reading;

    private ToolProcess(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.StandardOutputEncoding = Encoding.UTF8;
        start.StandardErrorEncoding = Encoding.UTF8;
        start.Environment.Remove("NO_COLOR");
        _process = Process.Start(start)!;
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput, _output), ReadAsync(_process.StandardError, _error));
    }

    public StreamWriter Input => _process.StandardInput;

    public string Output => Snapshot(_output);

    public string Error => Snapshot(_error);

    /// <summary>The tool's program in the build output of the tests.</summary>
    public static string PathOf(string tool) => Path.Combine(AppContext.BaseDirectory, tool + (OperatingSystem.IsWindows() ? ".exe" : ""));

    public static ToolProcess Start(string tool, params string[] arguments) => StartProgram(PathOf(tool), arguments);

    /// <param name="environment">Variables that it gets besides the tests' own.</param>
    public static ToolProcess StartWith(IReadOnlyDictionary<string, string> environment, string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(PathOf(tool), arguments);
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        return new ToolProcess(start);
    }

    public static ToolProcess StartProgram(string program, params string[] arguments) => new(new ProcessStartInfo(program, arguments));

    public static ToolProcess StartIn(string folder, string program, params string[] arguments) => new(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder });

    public async Task TypeAsync(string keys)
    {
        await Input.WriteAsync(keys);
        await Input.FlushAsync();
    }

    /// <summary>Waits for the program's end and all it wrote.</summary>
    public async Task<int> ExitCodeAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"still runs after {Patience}; output: {Output} error: {Error}");
        }

        await _reading;
        return _process.ExitCode;
    }

    public async Task WaitForOutputAsync(Func<string, bool> arrived)
    {
        long start = Stopwatch.GetTimestamp();
        while (!arrived(Output))
        {
            bool ended = _process.HasExited && _reading.IsCompleted;
            Assert.False(ended && !arrived(Output), $"ended; output: {Output} error: {Error}");
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, $"waited {Patience} in vain; output: {Output} error: {Error}");
            await Task.Delay(10);
        }
    }

    public void SendInterrupt() => Assert.Equal(0, Kill(_process.Id, Interrupt));

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);

    private static async Task ReadAsync(StreamReader reader, StringBuilder target)
    {
        var buffer = new char[4096];
        int read;
        while ((read = await reader.ReadAsync(buffer)) > 0)
        {
            lock (target)
            {
                target.Append(buffer, 0, read);
            }
        }
    }

    private static string Snapshot(StringBuilder text)
    {
        lock (text)
        {
            return text.ToString();
        }
    }
}
