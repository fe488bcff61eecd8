using Fastgen.ServiceDefaults.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Fastgen.ServiceDefaults;

/// <summary>Sets up OpenTelemetry from the standard <c>OTEL_*</c> settings; nothing is collected when there is nowhere to send it.</summary>
internal static class Telemetry
{
    private static readonly string[] FrameworkSources = ["Microsoft.AspNetCore", "System.Net.Http", "Yarp.ReverseProxy"];

    private static readonly string[] FrameworkMeters =
        ["Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "System.Runtime", RedisMetrics.MeterName];

    public static void Add(IHostApplicationBuilder builder, string[] sources)
    {
        // A client that goes away is no fault of ours, and YARP logs each with a stack trace.
        builder.Logging.AddFilter("Yarp.ReverseProxy.Forwarder", LogLevel.Error);
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            return;
        }

        // By default .NET 10 expects an instrumentation package, which is not used here, to add the HTTP attributes.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        IConfiguration configuration = builder.Configuration;
        ResourceBuilder resource = Resource(configuration, builder.Environment.ApplicationName);
        builder.Services.AddSingleton(_ => Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(resource)
            .AddSource([.. FrameworkSources, .. sources])
            .AddOtlpExporter(exporter => Configure(exporter, configuration, "traces"))
            .Build());
        builder.Services.AddSingleton(_ => Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(resource)
            .AddMeter([.. FrameworkMeters, .. sources])
            .AddOtlpExporter(exporter => Configure(exporter, configuration, "metrics"))
            .Build());
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.SetResourceBuilder(resource);
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
            logging.AddOtlpExporter(exporter => Configure(exporter, configuration, "logs"));
        });
        builder.Services.AddHostedService<TelemetryLifetime>();
    }

    private static ResourceBuilder Resource(IConfiguration configuration, string application)
    {
        string service = configuration["OTEL_SERVICE_NAME"] is { Length: > 0 } name ? name : application;
        ResourceBuilder resource = ResourceBuilder.CreateDefault().AddService(service, autoGenerateServiceInstanceId: false);
        bool named = configuration["OTEL_RESOURCE_ATTRIBUTES"]?.Contains("service.instance.id=", StringComparison.Ordinal) == true;
        return named ? resource : resource.AddAttributes([new("service.instance.id", $"{Environment.MachineName}-{Environment.ProcessId}")]);
    }

    private static void Configure(OtlpExporterOptions exporter, IConfiguration configuration, string signal)
    {
        // Set here from the configuration, since the SDK alone would only look at the environment.
        bool http = configuration["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf";
        string endpoint = configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]!;
        exporter.Protocol = http ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        exporter.Endpoint = Uri.TryCreate(http ? $"{endpoint.TrimEnd('/')}/v1/{signal}" : endpoint, UriKind.Absolute, out Uri? uri)
            ? uri
            : throw new InvalidOperationException($"OTEL_EXPORTER_OTLP_ENDPOINT is '{endpoint}', which is no absolute URI such as http://localhost:4317.");
        if (configuration["OTEL_EXPORTER_OTLP_HEADERS"] is { Length: > 0 } headers)
        {
            exporter.Headers = headers;
        }
    }
}
