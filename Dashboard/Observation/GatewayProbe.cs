using System.Net;

namespace Fastgen.Dashboard.Observation;

/// <summary>Asks the gateway whether it is healthy.</summary>
internal sealed class GatewayProbe(HttpClient http, GatewayLinks links)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Whether it is, null when no address is known, and a word on it; never throws but for cancellation.</summary>
    public async Task<(bool? IsHealthy, string Detail)> AskAsync(CancellationToken cancellationToken)
    {
        if (links.Internal is not { } address)
        {
            return (null, "No address is configured; set services__gateway__http__0.");
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            using HttpResponseMessage response = await http.GetAsync(new Uri(address, "/health"), HttpCompletionOption.ResponseHeadersRead, limit.Token);
            return response.StatusCode == HttpStatusCode.OK
                ? (true, $"Answers at {address.Authority}.")
                : (false, $"{address.Authority} says {(int)response.StatusCode} to /health: not ready.");
        }
        catch (HttpRequestException e)
        {
            return (false, $"{address.Authority} does not answer: {e.HttpRequestError}.");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (false, $"{address.Authority} did not answer within {Limit.TotalSeconds} s.");
        }
    }
}
