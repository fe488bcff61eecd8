namespace Fastgen.Gateway;

/// <summary>How an item of a worker fits what the caller has.</summary>
internal enum ReplyVerdict
{
    New,

    /// <summary>The caller has it already.</summary>
    Repeated,

    /// <summary>Something before it is missing.</summary>
    Gap,

    /// <summary>It says other tokens than those that the caller has.</summary>
    Contradiction,
}
