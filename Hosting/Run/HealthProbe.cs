using System.Net;
using System.Net.Sockets;
using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Fastgen.Hosting.Run;

/// <summary>Asks a resource whether it is well.</summary>
internal sealed class HealthProbe : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = Limit }) { Timeout = Limit };

    /// <summary>Whether the resource's health can be asked for at all; if not, running is healthy.</summary>
    public static bool Applies(Resource resource) => resource is RedisResource || resource.HealthChecks.Count > 0;

    /// <returns>Null when every replica is well, else what is wrong.</returns>
    public async Task<string?> AskAsync(Resource resource, CancellationToken cancellationToken)
    {
        if (resource is RedisResource redis && await AskRedisAsync(redis, cancellationToken) is { } wrong)
        {
            return wrong;
        }

        foreach (var check in resource.HealthChecks)
        {
            var endpoint = resource.Endpoints.Find(e => e.Scheme == "http" && (check.EndpointName is null || e.Name == check.EndpointName))
                ?? throw new DistributedApplicationException(
                    $"The health check {check.Path} of '{resource.Name}' finds no HTTP endpoint {check.EndpointName}; add it by WithHttpEndpoint.");
            for (var replica = 0; replica < resource.Replicas; replica++)
            {
                if (await AskHttpAsync(endpoint.UrlOf(replica) + check.Path, check.StatusCode, cancellationToken) is { } wrongHttp)
                {
                    return wrongHttp;
                }
            }
        }

        return null;
    }

    public void Dispose() => _http.Dispose();

    private async Task<string?> AskHttpAsync(string url, int statusCode, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return (int)response.StatusCode == statusCode ? null : $"{url} answers {(int)response.StatusCode} instead of {statusCode}";
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return $"{url}: {e.Message}";
        }
    }

    private static async Task<string?> AskRedisAsync(RedisResource redis, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, redis.Endpoint.Ports[0], limit.Token);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"AUTH {redis.Password}\r\nPING\r\n"), limit.Token);
            using var reader = new StreamReader(stream, Encoding.ASCII);
            string?[] replies = [await reader.ReadLineAsync(limit.Token), await reader.ReadLineAsync(limit.Token)];
            return replies is ["+OK", "+PONG"] ? null : $"answers {string.Join(" ", replies)} to AUTH and PING";
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return e is OperationCanceledException ? $"no answer within {Limit.TotalSeconds:0} s" : e.Message;
        }
    }
}
