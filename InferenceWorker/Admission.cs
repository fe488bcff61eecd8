namespace Fastgen.InferenceWorker;

/// <summary>What becomes of an entry that this worker was given.</summary>
internal enum Admission
{
    Accepted,

    /// <summary>Nobody waits for it any more.</summary>
    Cancelled,

    /// <summary>This worker runs it already: it was slow to say so, and was given its own entry.</summary>
    RunsHere,
}
