namespace Fastgen.Dashboard.Observation;

/// <summary>A service as the page shows it.</summary>
/// <param name="IsHealthy">Null when nothing is known of it.</param>
/// <param name="Detail">Where it is, or what is wrong with it.</param>
/// <param name="Since">Since when it has been as it is.</param>
internal sealed record ServiceView(bool? IsHealthy, string Detail, DateTimeOffset Since)
{
    /// <summary>This view again when nothing changed, so that <see cref="Since"/> stays.</summary>
    public ServiceView Become(bool? isHealthy, string detail, DateTimeOffset now) =>
        isHealthy == IsHealthy ? this with { Detail = detail } : new ServiceView(isHealthy, detail, now);
}
