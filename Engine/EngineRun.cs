namespace Fastgen.Engine;

/// <summary>A request whose news go to an <see cref="EngineFeed"/>.</summary>
public sealed class EngineRun
{
    private readonly EngineLoop _loop;
    private readonly PreparedRequest _prepared;

    internal EngineRun(EngineLoop loop, PreparedRequest prepared, EngineFeed feed, object? tag)
    {
        _loop = loop;
        _prepared = prepared;
        Feed = feed;
        Tag = tag;
    }

    /// <summary>Whatever the caller gave along.</summary>
    public object? Tag { get; }

    /// <summary>Choices that are generated.</summary>
    public int Choices => _prepared.Scheduled.Sequences.Length;

    internal EngineFeed Feed { get; }

    /// <summary>It waits to be taken. Guarded by the feed.</summary>
    internal bool IsListed { get; set; }

    /// <summary>Takes what a choice has generated since it was last asked. One thread at a time.</summary>
    /// <returns>Null when there is nothing new.</returns>
    public EngineDelta? Take(int choice) => _prepared.Take(choice);

    /// <summary>Ends the request before the next step; its choices then end as <see cref="EngineFinishReason.Cancelled"/>. Does nothing if it has ended.</summary>
    public void Abort() => _loop.Abort(_prepared.Scheduled);
}
