namespace Fastgen.Engine;

/// <content>Many requests with one reader.</content>
public sealed partial class LlmEngine
{
    /// <summary>Opens a feed for requests that one reader serves.</summary>
    /// <param name="onNews">Called on the engine's thread after a step with news, so it must be quick and must not throw; true when a
    /// request has begun or a choice has ended, which should be told at once.</param>
    public EngineFeed OpenFeed(Action<bool> onNews)
    {
        ArgumentNullException.ThrowIfNull(onNews);
        return _loop.AddFeed(onNews);
    }

    /// <summary>Begins a request whose news go to a feed.</summary>
    /// <param name="request">What to generate from.</param>
    /// <param name="feed">A feed of this engine.</param>
    /// <param name="tag">Found again in <see cref="EngineRun.Tag"/>.</param>
    /// <exception cref="EngineRequestException">The request is wrong.</exception>
    /// <exception cref="EngineOverloadedException">Too many requests are waiting.</exception>
    /// <exception cref="EngineFaultedException">The device has failed repeatedly.</exception>
    public EngineRun Start(EngineRequest request, EngineFeed feed, object? tag = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(feed);
        PreparedRequest prepared = Prepare(request, announceTokens: true);
        var run = new EngineRun(_loop, prepared, feed, tag);
        prepared.Output.Run = run;
        _loop.Submit(prepared.Scheduled, countsAsWaiting: true);
        return run;
    }
}
