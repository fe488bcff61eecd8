namespace Aspire.Hosting.ApplicationModel;

internal sealed record HttpHealthCheckDescription(string Path, int StatusCode, string? EndpointName);
