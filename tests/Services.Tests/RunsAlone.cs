namespace Fastgen.Services.Tests;

/// <summary>Tests that measure what the whole process does, such as its allocations: they run after the others, one at a time.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class RunsAlone
{
    public const string Name = "alone";
}
