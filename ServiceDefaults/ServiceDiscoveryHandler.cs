using Microsoft.Extensions.Configuration;

namespace Fastgen.ServiceDefaults;

/// <summary>
/// Sends requests for <c>http://gateway/…</c> to where <see cref="ServiceEndpoints"/> finds <c>gateway</c>, taking its
/// addresses in turn; <c>https+http://</c> prefers https. Other hosts are left alone.
/// </summary>
public sealed class ServiceDiscoveryHandler(IConfiguration configuration) : DelegatingHandler
{
    private int _turn = -1;

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.RequestUri = Rewrite(request.RequestUri);
        return base.SendAsync(request, cancellationToken);
    }

    private Uri? Rewrite(Uri? uri)
    {
        if (uri is null || !uri.IsAbsoluteUri)
        {
            return uri;
        }

        foreach (string scheme in uri.Scheme.Split('+'))
        {
            IReadOnlyList<Uri> addresses = ServiceEndpoints.ResolveAll(configuration, uri.Host, scheme);
            if (addresses.Count > 0)
            {
                Uri address = addresses[(int)((uint)Interlocked.Increment(ref _turn) % (uint)addresses.Count)];
                return new UriBuilder(uri) { Scheme = address.Scheme, Host = address.Host, Port = address.Port, Path = address.AbsolutePath.TrimEnd('/') + uri.AbsolutePath }.Uri;
            }
        }

        return uri.Scheme.Contains('+', StringComparison.Ordinal)
            ? throw new HttpRequestException($"No address is configured for {uri.Scheme}://{uri.Host}; set services__{uri.Host}__http__0.")
            : uri;
    }
}
