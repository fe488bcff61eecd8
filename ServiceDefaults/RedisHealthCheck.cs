using Fastgen.ServiceDefaults.Redis;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Fastgen.ServiceDefaults;

/// <summary>Healthy when Redis answers a PING within two seconds.</summary>
public sealed class RedisHealthCheck(RedisClient redis) : IHealthCheck
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        try
        {
            // Given up rather than timed out: a time-out would break the connection under the other callers' feet.
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(Limit);
            await redis.PingAsync(limit.Token).ConfigureAwait(false);
            return HealthCheckResult.Healthy();
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, $"Redis at {redis.Options.Endpoint} did not answer within {Limit.TotalSeconds} s.");
        }
        catch (RedisException e)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, e.Message);
        }
    }
}
