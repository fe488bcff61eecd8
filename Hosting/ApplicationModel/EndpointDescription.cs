namespace Aspire.Hosting.ApplicationModel;

/// <summary>An endpoint as described, and the ports that it got when the application started.</summary>
internal sealed class EndpointDescription(string name, string scheme, int? fixedPort)
{
    public string Name { get; } = name;

    public string Scheme { get; } = scheme;

    public int? FixedPort { get; } = fixedPort;

    /// <summary>One port per replica; empty before the application starts.</summary>
    public IReadOnlyList<int> Ports { get; set; } = [];

    public string UrlOf(int replica) => $"{Scheme}://localhost:{Ports[replica]}";
}
