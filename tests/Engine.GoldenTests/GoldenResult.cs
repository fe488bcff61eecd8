namespace Fastgen.Engine.GoldenTests;

/// <summary>What a comparison with golden data found.</summary>
/// <param name="Compared">Number of comparisons.</param>
/// <param name="Differences">The first differences; none when all is equal.</param>
internal sealed record GoldenResult(int Compared, IReadOnlyList<string> Differences);
