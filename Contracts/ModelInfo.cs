namespace Fastgen.Contracts;

/// <summary>A model that is being served.</summary>
/// <param name="Id">Name that requests use.</param>
/// <param name="CreatedUnixSeconds">When its server loaded it.</param>
/// <param name="MaxContextTokens">Prompt and output together.</param>
public sealed record ModelInfo(string Id, long CreatedUnixSeconds, int MaxContextTokens);
