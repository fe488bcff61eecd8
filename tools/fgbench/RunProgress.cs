using System.Diagnostics;
using System.Globalization;
using Fastgen.Tools.CommandLine;

namespace Fastgen.Tools.FgBench;

/// <summary>Shows on standard error how far a run is: a bar in a terminal, else a line now and then.</summary>
internal sealed class RunProgress : IDisposable
{
    private const int BarWidth = 30;

    private readonly string _label;
    private readonly long _total;
    private readonly Func<long> _done;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Lock _lock = new();
    private readonly Timer _timer;
    private bool _drawn;
    private bool _disposed;

    private RunProgress(string label, long total, Func<long> done)
    {
        _label = label;
        _total = total;
        _done = done;
        // Rarely enough that it disturbs no measurement.
        TimeSpan interval = TimeSpan.FromSeconds(TerminalOutput.ErrorIsTerminal ? 0.5 : 20);
        _timer = new Timer(_ => Draw(), null, interval, interval);
    }

    /// <param name="label">What runs; null shows nothing.</param>
    /// <param name="total">Tokens in all.</param>
    /// <param name="done">Tokens so far.</param>
    public static RunProgress? Start(string? label, long total, Func<long> done) => label is null ? null : new RunProgress(label, total, done);

    public void Dispose()
    {
        _timer.Dispose();
        lock (_lock)
        {
            _disposed = true;
            if (_drawn)
            {
                Console.Error.Write("\r\e[K");
            }
        }
    }

    private void Draw()
    {
        long done = _done();
        double share = Math.Clamp((double)done / _total, 0, 1), seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            string figures = string.Create(CultureInfo.InvariantCulture, $"{share,4:P0}, {done / seconds:N0} tok/s after {seconds:F0} s");
            if (TerminalOutput.ErrorIsTerminal)
            {
                int filled = (int)(share * BarWidth);
                Console.Error.Write($"\r\e[K{_label} [{new string('#', filled)}{new string('-', BarWidth - filled)}] {figures}");
                _drawn = true;
            }
            else
            {
                Console.Error.WriteLine($"{_label}: {figures}");
            }
        }
    }
}
