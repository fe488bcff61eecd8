namespace Fastgen.Contracts;

/// <summary>What the caller has of a choice of a request that a worker could not finish.</summary>
/// <param name="TokenIds">All tokens.</param>
/// <param name="TextUnits">UTF-16 units of the text that they made certain.</param>
/// <param name="HasEnded">The caller has its end as well.</param>
public sealed record ResumedChoice(IReadOnlyList<int> TokenIds, int TextUnits, bool HasEnded);
