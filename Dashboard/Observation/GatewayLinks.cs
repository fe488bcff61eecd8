using Fastgen.ServiceDefaults;

namespace Fastgen.Dashboard.Observation;

/// <summary>Where the gateway is: for this process, and for whoever reads the page.</summary>
/// <param name="Internal">From service discovery; null when none is configured.</param>
/// <param name="Public">
/// What the page links to: <c>Dashboard:GatewayUrl</c>, for a cluster whose inner names a browser cannot resolve, else the same address.
/// </param>
internal sealed record GatewayLinks(Uri? Internal, Uri? Public)
{
    /// <exception cref="InvalidOperationException"><c>Dashboard:GatewayUrl</c> is no http or https address.</exception>
    public static GatewayLinks Read(IConfiguration configuration)
    {
        Uri? address = ServiceEndpoints.Resolve(configuration, "gateway");
        if (configuration["Dashboard:GatewayUrl"] is not { Length: > 0 } text)
        {
            return new GatewayLinks(address, address);
        }

        // Anything else, javascript: above all, has no place behind a link.
        return Uri.TryCreate(text, UriKind.Absolute, out Uri? given) && given.Scheme is "http" or "https"
            ? new GatewayLinks(address, given)
            : throw new InvalidOperationException($"Dashboard:GatewayUrl is '{text}', which is no http or https address; give one such as https://api.example.org.");
    }
}
