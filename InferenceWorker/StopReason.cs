namespace Fastgen.InferenceWorker;

/// <summary>Why a request ended here before its time.</summary>
internal enum StopReason
{
    None,

    /// <summary>Nobody waits for it any more.</summary>
    Cancelled,

    /// <summary>It was not done at its deadline.</summary>
    Late,

    /// <summary>Another worker has it, or it is gone from Redis.</summary>
    Lost,

    /// <summary>This worker stops; another shall take it.</summary>
    HandedBack,
}
