namespace Fastgen.Services.Tests.Fleet;

/// <summary>Tests with gateways and workers, one after the other: each wants the processor for itself.</summary>
[CollectionDefinition(Name)]
public sealed class FleetTests : ICollectionFixture<FleetRedis>
{
    public const string Name = "fleet";
}
