using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Fastgen.InferenceWorker;

/// <summary>A worker is ready when its model is loaded, its engine works and it pulls requests.</summary>
internal sealed class ModelHealthCheck(WorkerState state) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(
        state.Model is not { } model ? HealthCheckResult.Unhealthy("The model is being loaded.")
        : model.Engine.Statistics.IsFaulted ? HealthCheckResult.Unhealthy("The engine has failed for good; the worker is to be restarted.")
        : state.IsPulling ? HealthCheckResult.Healthy()
        : HealthCheckResult.Unhealthy("The worker is not taking requests."));
}
