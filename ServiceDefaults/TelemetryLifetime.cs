using Microsoft.Extensions.Hosting;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Fastgen.ServiceDefaults;

/// <summary>Has the providers built before the first request, and what they hold sent before the process ends.</summary>
internal sealed class TelemetryLifetime(TracerProvider tracers, MeterProvider meters) : IHostedLifecycleService
{
    private const int FlushMs = 3000;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            tracers.ForceFlush(FlushMs);
            meters.ForceFlush(FlushMs);
        },
        cancellationToken);
}
