namespace Fastgen.Tools.FgBench.Loads;

/// <summary>When the tokens of many streams came, and a way to wait until all have got some more.</summary>
internal sealed class StreamTokenTimes(int streams)
{
    private readonly List<double>[] _times = [.. Enumerable.Range(0, streams).Select(_ => new List<double>())];
    private readonly Lock _lock = new();
    private int[]? _wanted;
    private int _missing;
    private TaskCompletionSource _reached = new();

    /// <summary>By stream; read once nothing is added any more.</summary>
    public IReadOnlyList<IReadOnlyList<double>> Times => _times;

    public void Add(int stream, double now)
    {
        lock (_lock)
        {
            _times[stream].Add(now);
            if (_wanted is not null && _times[stream].Count == _wanted[stream] && --_missing == 0)
            {
                _wanted = null;
                _reached.TrySetResult();
            }
        }
    }

    /// <summary>Waits until every stream has got so many tokens more than now.</summary>
    /// <param name="ended">A stream's end; its exception ends the wait.</param>
    public async Task WaitForAsync(int more, Task ended, CancellationToken cancel)
    {
        Task reached;
        lock (_lock)
        {
            _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _wanted = [.. _times.Select(times => times.Count + more)];
            _missing = streams;
            reached = _reached.Task;
        }

        await (await Task.WhenAny(reached, ended)).WaitAsync(cancel);
        await reached.WaitAsync(cancel);
    }
}
