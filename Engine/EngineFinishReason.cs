namespace Fastgen.Engine;

/// <summary>Why a choice of a request ended.</summary>
public enum EngineFinishReason
{
    /// <summary>End-of-sequence token, stop token or stop string.</summary>
    Stop,

    /// <summary>The request's token limit is reached, or the context is full.</summary>
    Length,

    /// <summary>Aborted by the caller, or the engine was disposed.</summary>
    Cancelled,

    /// <summary>The engine could not go on with it.</summary>
    Error,
}
