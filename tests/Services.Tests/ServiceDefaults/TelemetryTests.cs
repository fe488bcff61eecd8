using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Fastgen.Services.Tests.ServiceDefaults;

/// <summary>What a service tells a collector. The runtime's sources are those of the whole process, so nothing else may run.</summary>
[Collection(RunsAlone.Name)]
public sealed class TelemetryTests
{
    [Fact]
    public async Task Traces_metrics_and_logs_reach_a_collector_with_names_and_without_probes()
    {
        await using var collector = await OtlpCollector.StartAsync();
        WebApplication app = await DefaultService.StartAsync(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-otlp-api-key=key-7"),
            ("OTEL_SERVICE_NAME", "gateway-under-test"));
        using (var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) })
        {
            Assert.Equal("item 5", await http.GetStringAsync(new Uri("/items/5", UriKind.Relative)));
            await http.GetAsync(new Uri("/health", UriKind.Relative));
            Assert.Equal(HttpStatusCode.InternalServerError, (await http.GetAsync(new Uri("/fail", UriKind.Relative))).StatusCode);
        }

        await app.StopAsync();
        await app.DisposeAsync();

        string traces = collector.Text("/v1/traces");
        Assert.Contains("GET /items/{id}", traces, StringComparison.Ordinal);
        Assert.Contains("http.route", traces, StringComparison.Ordinal);
        Assert.Contains("http.response.status_code", traces, StringComparison.Ordinal);
        Assert.Contains("http.request.method", traces, StringComparison.Ordinal);
        Assert.Contains("gateway-under-test", traces, StringComparison.Ordinal);
        Assert.Contains("Test.Work", traces, StringComparison.Ordinal);
        Assert.Contains("thrown by the test", traces, StringComparison.Ordinal);
        Assert.DoesNotContain("GET /health", traces, StringComparison.Ordinal);
        Assert.Contains("http.server.request.duration", collector.Text("/v1/metrics"), StringComparison.Ordinal);
        Assert.Contains("looking up 5", collector.Text("/v1/logs"), StringComparison.Ordinal);
        Assert.Contains("key-7", collector.ApiKeys);
    }

    [Fact]
    public async Task Without_a_collector_nothing_is_collected()
    {
        await using WebApplication app = await DefaultService.StartAsync();
        Assert.Null(app.Services.GetService<OpenTelemetry.Trace.TracerProvider>());
        Assert.Null(app.Services.GetService<OpenTelemetry.Metrics.MeterProvider>());
    }
}
