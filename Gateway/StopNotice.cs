using Fastgen.Contracts;
using Microsoft.Extensions.Options;

namespace Fastgen.Gateway;

/// <summary>Tells the callers whose requests outlast a stopping gateway, while there is still time to tell them, and cancels what runs for them.</summary>
internal sealed class StopNotice(PendingRequests pending, RequestQueue queue, IHostApplicationLifetime lifetime, IOptions<HostOptions> host, ILogger<StopNotice> logger) : IHostedService
{
    // What it takes to say so on every connection, before the server cuts them.
    private static readonly TimeSpan LongestMargin = TimeSpan.FromSeconds(3);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStopping.Register(() => _ = TellInTimeAsync());
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task TellInTimeAsync()
    {
        TimeSpan limit = host.Value.ShutdownTimeout;
        TimeSpan margin = limit / 2 < LongestMargin ? limit / 2 : LongestMargin;
        await Task.Delay(limit - margin, lifetime.ApplicationStopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        PendingRequest[] late = [.. pending.All];
        if (late.Length > 0)
        {
            logger.LogWarning("{Count} requests were not done in the {Seconds:0.#} s that a stopping gateway gives them", late.Length, (limit - margin).TotalSeconds);
        }

        foreach (PendingRequest request in late)
        {
            request.Fail(new GenerationException(
                GenerationErrorKind.Unavailable,
                "The gateway is stopping and could not wait for the end of this request; send it again.",
                null,
                "gateway_stopping"));
        }

        await Task.WhenAll(late.Select(queue.CancelAsync));
    }
}
