using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Fastgen.Hosting.Run;

/// <summary>The environment variables that a process gets, named and valued as Aspire 13.5 does in run mode.</summary>
internal sealed class EnvironmentComposer(IReadOnlyList<Resource> resources, IConfiguration configuration)
{
    /// <summary>Variables of a new process for <paramref name="replica"/>, what the app host says last.</summary>
    public async ValueTask<Dictionary<string, string>> ComposeAsync(Resource resource, int replica, CancellationToken cancellationToken)
    {
        var variables = new Dictionary<string, string>();
        if (resource is ProjectResource)
        {
            AddTelemetry(variables, resource);
            variables["DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION"] = RunOptions.ShowsColors ? "true" : "false";
            variables["LOGGING__CONSOLE__FORMATTERNAME"] = "simple";
            var urls = resource.Endpoints.Where(e => e.Scheme == "http").Select(e => e.UrlOf(replica)).ToArray();
            if (urls.Length > 0)
            {
                variables["ASPNETCORE_URLS"] = string.Join(';', urls);
            }
        }

        foreach (var add in resource.Environment)
        {
            await add(variables, cancellationToken);
        }

        return variables;
    }

    private void AddTelemetry(Dictionary<string, string> variables, Resource resource)
    {
        variables["OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY"] = "in_memory";
        variables["OTEL_DOTNET_EXPERIMENTAL_ASPNETCORE_DISABLE_URL_QUERY_REDACTION"] = "true";
        variables["OTEL_DOTNET_EXPERIMENTAL_HTTPCLIENT_DISABLE_URL_QUERY_REDACTION"] = "true";
        if (Collector(resource) is var (endpoint, protocol))
        {
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
            variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol;
            if (configuration["AppHost:OtlpApiKey"] is { Length: > 0 } key)
            {
                variables["OTEL_EXPORTER_OTLP_HEADERS"] = "x-otlp-api-key=" + key;
            }
        }

        // A new process is a new instance, also when it takes the place of one that died.
        variables["OTEL_RESOURCE_ATTRIBUTES"] = "service.instance.id=" + RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz", 8);
        variables["OTEL_SERVICE_NAME"] = resource.Name;
        variables["OTEL_BLRP_SCHEDULE_DELAY"] = "1000";
        variables["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
        variables["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
        variables["OTEL_TRACES_SAMPLER"] = "always_on";
        variables["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
        variables["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true";
    }

    /// <summary>Where telemetry goes: a collector that configuration names, else an endpoint <c>otlp</c> of another resource, else nowhere.</summary>
    private (string Endpoint, string Protocol)? Collector(Resource resource)
    {
        foreach (var prefix in (string[])["ASPIRE_DASHBOARD", "DOTNET_DASHBOARD"])
        {
            if (configuration[prefix + "_OTLP_ENDPOINT_URL"] is { Length: > 0 } grpc)
            {
                return (grpc, "grpc");
            }

            if (configuration[prefix + "_OTLP_HTTP_ENDPOINT_URL"] is { Length: > 0 } http)
            {
                return (http, "http/protobuf");
            }
        }

        var endpoint = resources.Where(r => r != resource).SelectMany(r => r.Endpoints).FirstOrDefault(e => e.Name == "otlp");
        return endpoint is null ? null : (endpoint.UrlOf(0), "grpc");
    }
}
