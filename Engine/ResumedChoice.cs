namespace Fastgen.Engine;

/// <summary>What a choice had when its generation broke off elsewhere; see <see cref="EngineRequest.Resumed"/>.</summary>
/// <param name="TokenIds">All tokens that it had generated.</param>
/// <param name="HasEnded">It had come to its end: nothing more is generated for it, and nothing is said of it.</param>
public sealed record ResumedChoice(IReadOnlyList<int> TokenIds, bool HasEnded);
