using Fastgen.Contracts;
using Fastgen.Engine;

namespace Fastgen.Serving;

/// <summary>Serves many requests with one reader, who takes their events in passes. Opened by <see cref="EngineGenerationService.OpenFeed"/>.</summary>
/// <remarks>Deadlines are the caller's to watch.</remarks>
public sealed class GenerationFeed : IDisposable
{
    private readonly EngineGenerationService _service;
    private readonly EngineFeed _feed;
    private readonly List<EngineRun> _runs = [];

    internal GenerationFeed(EngineGenerationService service, EngineFeed feed)
    {
        _service = service;
        _feed = feed;
    }

    /// <summary>Begins a request.</summary>
    /// <param name="tag">Found again in <see cref="FeedGeneration.Tag"/>.</param>
    /// <exception cref="GenerationException">The request cannot be served.</exception>
    public FeedGeneration Start(GenerationRequest request, object tag)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _service.Start(request, _feed, tag);
    }

    /// <summary>Lists the requests that have news. One thread at a time.</summary>
    /// <param name="into">The requests are added to it; one may come twice.</param>
    /// <param name="urgentOnly">Only those of which a first token or an end has not been taken.</param>
    public void Take(List<FeedGeneration> into, bool urgentOnly)
    {
        ArgumentNullException.ThrowIfNull(into);
        _feed.Take(_runs, urgentOnly);
        foreach (EngineRun run in _runs)
        {
            var generation = (FeedGeneration)run.Tag!;
            generation.Bind(run);
            into.Add(generation);
        }

        _runs.Clear();
    }

    /// <inheritdoc/>
    public void Dispose() => _feed.Dispose();
}
