using Fastgen.Contracts;
using Fastgen.Engine;

namespace Fastgen.Serving;

/// <summary>A request of a <see cref="GenerationFeed"/>.</summary>
public sealed class FeedGeneration
{
    private readonly GenerationProgress _progress;
    private volatile EngineRun? _run;

    internal FeedGeneration(GenerationProgress progress, object tag)
    {
        _progress = progress;
        Tag = tag;
    }

    /// <summary>What the caller gave along.</summary>
    public object Tag { get; }

    /// <summary>Its last event has been taken.</summary>
    public bool HasEnded => _progress.HasEnded;

    /// <summary>Takes what is new. One thread at a time.</summary>
    /// <param name="into">The events are added to it, in order; none when nothing is new.</param>
    public void Take(List<GenerationEvent> into)
    {
        ArgumentNullException.ThrowIfNull(into);
        EngineRun run = _run!;
        for (int choice = 0; choice < run.Choices; choice++)
        {
            if (run.Take(choice) is { } delta)
            {
                into.Add(_progress.Describe(delta));
            }
        }
    }

    /// <summary>Ends the request before the next step; its choices then end as <see cref="FinishReason.Cancelled"/>.</summary>
    public void Abort() => _run?.Abort();

    /// <summary>Called by whoever has the run first: the one who begins it or the one who takes its news.</summary>
    internal void Bind(EngineRun run) => _run = run;
}
