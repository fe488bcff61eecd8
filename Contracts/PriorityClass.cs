namespace Fastgen.Contracts;

/// <summary>Which of a model's request streams a request waits in.</summary>
public enum PriorityClass
{
    /// <summary>Priorities below 0.</summary>
    High,

    /// <summary>Priority 0.</summary>
    Normal,

    /// <summary>Priorities above 0.</summary>
    Low,
}
