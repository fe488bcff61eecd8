using System.Diagnostics;
using System.Globalization;
using Fastgen.Engine.Model;

namespace Fastgen.Tools.CommandLine;

/// <summary>Shows on standard error how far a model is loaded: a bar in a terminal, else a line per stage.</summary>
internal sealed class LoadProgressBar(string model) : IProgress<LoadProgress>
{
    private const int BarWidth = 30;
    private const int MinRedrawMs = 50;

    private readonly Lock _lock = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _lastDraw;
    private string? _stage;
    private bool _drawn;

    public void Report(LoadProgress value)
    {
        lock (_lock)
        {
            bool newStage = value.Stage != _stage;
            _stage = value.Stage;
            if (!TerminalOutput.ErrorIsTerminal)
            {
                if (newStage)
                {
                    Console.Error.WriteLine($"{model}: {value.Stage}");
                }

                return;
            }

            if (!newStage && value.LoadedBytes < value.TotalBytes && Stopwatch.GetElapsedTime(_lastDraw).TotalMilliseconds < MinRedrawMs)
            {
                return;
            }

            _lastDraw = Stopwatch.GetTimestamp();
            _drawn = true;
            Console.Error.Write("\r\e[K" + Line(model, value));
        }
    }

    /// <summary>Takes the bar away and says how long it took.</summary>
    public void Done()
    {
        Clear();
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{model}: loaded in {Stopwatch.GetElapsedTime(_start).TotalSeconds:F1} s"));
    }

    /// <summary>Writes a line above the bar.</summary>
    public void Tell(string message)
    {
        Clear();
        Console.Error.WriteLine($"{model}: {message}");
    }

    /// <summary>Takes the bar away, so that what follows starts on a clean line.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            if (_drawn)
            {
                Console.Error.Write("\r\e[K");
                _drawn = false;
            }
        }
    }

    internal static string Line(string model, LoadProgress value)
    {
        int filled = (int)Math.Round(Math.Clamp(value.Fraction, 0, 1) * BarWidth);
        string bar = new string('#', filled) + new string('-', BarWidth - filled);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{model} [{bar}] {value.Fraction,4:P0} of {Size(value.TotalBytes)} {value.Stage}");
    }

    private static string Size(long bytes) => bytes >= 1 << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):F1} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):F1} MiB");
}
