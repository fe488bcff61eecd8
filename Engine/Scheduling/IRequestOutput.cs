using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Scheduling;

/// <summary>Where the scheduler puts the tokens of a request. Called on the engine loop's thread; must not block.</summary>
internal interface IRequestOutput
{
    /// <summary>A choice got its next token.</summary>
    /// <returns>True when the choice's text now holds a stop string, so that the choice ends here.</returns>
    bool AddToken(int choice, int tokenId, StepOutput output, int row);

    /// <summary>A choice ended; nothing more comes for it.</summary>
    void End(int choice, EngineFinishReason reason, string? error);

    /// <summary>All that a step brought is in and its blocks are given back: the reader may hear of it.</summary>
    void Announce();
}
