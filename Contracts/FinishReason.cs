namespace Fastgen.Contracts;

/// <summary>Why a choice ended.</summary>
public enum FinishReason
{
    /// <summary>End-of-sequence token, stop token or stop string.</summary>
    Stop,

    /// <summary>The request's token limit or the model's context is full.</summary>
    Length,

    /// <summary>Aborted by the caller or by a shutdown.</summary>
    Cancelled,

    /// <summary>The engine could not go on.</summary>
    Error,
}
