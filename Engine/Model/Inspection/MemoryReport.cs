namespace Fastgen.Engine.Model.Inspection;

/// <summary>Memory that running the model needs.</summary>
/// <param name="WeightBytes">The weights, kept as they are stored; without weight files, as config.json says their type.</param>
/// <param name="CacheBytesPer1kTokens">Keys and values of 1,024 tokens of context, 16 bits an element.</param>
/// <param name="FullContextCacheBytes">Keys and values of one sequence as long as the context allows.</param>
public sealed record MemoryReport(long WeightBytes, long CacheBytesPer1kTokens, long FullContextCacheBytes);
