namespace Fastgen.Engine;

/// <summary>Gathers what many requests generate for one reader, who takes it in passes: after a step, or after several.</summary>
/// <remarks>A reader of its own for each request (<see cref="LlmEngine.StreamAsync"/>) is woken for every token; with many
/// streams at once that costs more than the reading. Opened by <see cref="LlmEngine.OpenFeed"/>.</remarks>
public sealed class EngineFeed : IDisposable
{
    private readonly EngineLoop _loop;
    private readonly Action<bool> _onNews;
    private readonly Lock _gate = new();
    private readonly List<EngineRun> _urgent = [];
    private readonly List<EngineRun> _other = [];

    // The loop's thread alone uses these.
    private bool _hasNews;
    private bool _hasUrgentNews;

    internal EngineFeed(EngineLoop loop, Action<bool> onNews)
    {
        _loop = loop;
        _onNews = onNews;
    }

    /// <summary>Lists the requests that have news; <see cref="EngineRun.Take"/> takes them.</summary>
    /// <param name="into">The requests are added to it; one may come twice and then has nothing the second time.</param>
    /// <param name="urgentOnly">Only those of which a first token or an end has not been taken.</param>
    public void Take(List<EngineRun> into, bool urgentOnly)
    {
        ArgumentNullException.ThrowIfNull(into);
        lock (_gate)
        {
            into.AddRange(_urgent);
            _urgent.Clear();
            if (urgentOnly)
            {
                return;
            }

            foreach (EngineRun run in _other)
            {
                run.IsListed = false;
            }

            into.AddRange(_other);
            _other.Clear();
        }
    }

    /// <summary>Nobody is told of news any more. Requests that run are not ended by it.</summary>
    public void Dispose() => _loop.RemoveFeed(this);

    /// <summary>A request has news. Called on the loop's thread.</summary>
    internal void Add(EngineRun run, bool isUrgent)
    {
        _hasNews = true;
        _hasUrgentNews |= isUrgent;
        lock (_gate)
        {
            if (isUrgent)
            {
                _urgent.Add(run);
            }
            else if (!run.IsListed)
            {
                run.IsListed = true;
                _other.Add(run);
            }
        }
    }

    /// <summary>All requests of a step have been added. Called on the loop's thread.</summary>
    internal void Announce()
    {
        if (_hasNews)
        {
            bool isUrgent = _hasUrgentNews;
            (_hasNews, _hasUrgentNews) = (false, false);
            _onNews(isUrgent);
        }
    }
}
