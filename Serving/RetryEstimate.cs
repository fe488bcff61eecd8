using System.Diagnostics;

namespace Fastgen.Serving;

/// <summary>Guesses from the pace of the last completions when a refused caller will find room.</summary>
internal sealed class RetryEstimate
{
    private const double Weight = 0.1;
    private const double MaxSeconds = 120;

    private readonly Lock _lock = new();
    private long _lastFinish;
    private double _secondsPerChoice = 1;

    public void ChoiceFinished()
    {
        long now = Stopwatch.GetTimestamp();
        lock (_lock)
        {
            if (_lastFinish != 0)
            {
                double seconds = Stopwatch.GetElapsedTime(_lastFinish, now).TotalSeconds;
                _secondsPerChoice += Weight * (Math.Min(seconds, MaxSeconds) - _secondsPerChoice);
            }

            _lastFinish = now;
        }
    }

    /// <summary>The time in which a tenth of the queue is worked off: room for the caller and for others that were refused with it.</summary>
    public TimeSpan RetryAfter(int waiting)
    {
        lock (_lock)
        {
            return TimeSpan.FromSeconds(Math.Clamp(_secondsPerChoice * waiting / 10, 1, MaxSeconds));
        }
    }
}
