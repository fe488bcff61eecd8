namespace Fastgen.Engine.Backends;

/// <summary>Where the CPU backend keeps weights.</summary>
public enum WeightPlacement
{
    /// <summary>Copied while they take at most 60 % of the memory that is free, else mapped.</summary>
    Auto,

    /// <summary>Copied into memory of large pages: faster to read.</summary>
    Copied,

    /// <summary>Left in the memory-mapped files: loads at once, and several processes share one copy.</summary>
    Mapped,
}
