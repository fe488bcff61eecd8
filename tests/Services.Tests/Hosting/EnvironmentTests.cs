using Aspire.Hosting;
using Aspire.Hosting.Testing;

namespace Fastgen.Services.Tests.Hosting;

/// <summary>The variables of real service processes, against the names and forms that Aspire 13.5.2 injects in run mode.</summary>
[Collection("Hosting")] // tests that look for their processes by name
public sealed class EnvironmentTests
{
    private static readonly string[] AlwaysForProjects =
    [
        "OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY=in_memory",
        "OTEL_DOTNET_EXPERIMENTAL_ASPNETCORE_DISABLE_URL_QUERY_REDACTION=true",
        "OTEL_DOTNET_EXPERIMENTAL_HTTPCLIENT_DISABLE_URL_QUERY_REDACTION=true",
        "OTEL_SERVICE_NAME=gateway",
        "OTEL_BLRP_SCHEDULE_DELAY=1000",
        "OTEL_BSP_SCHEDULE_DELAY=1000",
        "OTEL_METRIC_EXPORT_INTERVAL=1000",
        "OTEL_TRACES_SAMPLER=always_on",
        "OTEL_METRICS_EXEMPLAR_FILTER=trace_based",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
        "LOGGING__CONSOLE__FORMATTERNAME=simple",
    ];

    [Fact]
    public async Task A_project_gets_what_Aspire_gives_it()
    {
        await using var host = new HostFixture("--Parameters:key=sk-test");
        var builder = host.Builder;
        var key = builder.AddParameter("key", () => builder.Configuration["Parameters:key"] ?? "", secret: true);
        var redis = builder.AddRedis("redis");
        // The dashboard's program, since a worker without a model ends at once and two are seldom there together.
        var worker = builder.AddProject<Projects.Dashboard>("worker", launchProfileName: null)
            .WithReference(redis)
            .WithHttpEndpoint(name: "http")
            .WithReplicas(2);
        builder.AddProject<Projects.Gateway>("gateway", launchProfileName: null)
            .WithHttpEndpoint(port: 8080, name: "http")
            .WithReference(redis)
            .WithReference(worker)
            .WithEnvironment("Gateway__ApiKey", key)
            .WithEnvironment("Gateway__WorkerUrl", worker.GetEndpoint("http"))
            .WithEnvironment("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")
            .WithEnvironment("Logging__LogLevel__Microsoft.AspNetCore", "Warning") // a name that a shell on the way would drop
            .WithArgs("--queue", "inference:requests");
        var app = await host.StartAsync();

        var gateway = await ProcessOf("gateway");
        foreach (var variable in AlwaysForProjects)
        {
            var parts = variable.Split('=', 2);
            Assert.Equal(parts[1], gateway.Environment[parts[0]]);
        }

        var connection = await app.GetConnectionStringAsync("redis");
        var match = System.Text.RegularExpressions.Regex.Match(connection!, "^localhost:([0-9]+),password=([A-Za-z0-9]{22})$");
        Assert.True(match.Success, connection);
        var (port, password) = (match.Groups[1].Value, match.Groups[2].Value);
        var workers = await WorkersAsync();
        var firstWorker = app.GetEndpoint("worker", "http").OriginalString;
        Assert.Equal(connection, gateway.Environment["ConnectionStrings__redis"]);
        Assert.Equal("localhost", gateway.Environment["REDIS_HOST"]);
        Assert.Equal(port, gateway.Environment["REDIS_PORT"]);
        Assert.Equal(password, gateway.Environment["REDIS_PASSWORD"]);
        Assert.Equal($"redis://:{password}@localhost:{port}", gateway.Environment["REDIS_URI"]);
        Assert.Equal(firstWorker, gateway.Environment["WORKER_HTTP"]);
        Assert.Equal(firstWorker, gateway.Environment["Gateway__WorkerUrl"]);
        Assert.Equal("sk-test", gateway.Environment["Gateway__ApiKey"]);
        Assert.Equal("compute,utility", gateway.Environment["NVIDIA_DRIVER_CAPABILITIES"]);
        Assert.Equal("Warning", gateway.Environment["Logging__LogLevel__Microsoft.AspNetCore"]);
        Assert.EndsWith(".dll --queue inference:requests ", gateway.CommandLine, StringComparison.Ordinal);
        Assert.Equal(app.GetEndpoint("gateway").OriginalString, gateway.Environment["ASPNETCORE_URLS"]);
        Assert.NotEqual(8080, app.GetEndpoint("gateway").Port);
        Assert.Matches("^service\\.instance\\.id=[a-z]{8}$", gateway.Environment["OTEL_RESOURCE_ATTRIBUTES"]);
        Assert.DoesNotContain("OTEL_EXPORTER_OTLP_ENDPOINT", gateway.Environment.Keys);

        // Replicas: an address and an identity of its own for each, all of them known to who references them.
        Assert.Equal(
            workers.Select(w => w.Environment["ASPNETCORE_URLS"]).Order(),
            new[] { gateway.Environment["services__worker__http__0"], gateway.Environment["services__worker__http__1"] }.Order());
        Assert.Equal(2, workers.Select(w => w.Environment["ASPNETCORE_URLS"]).Distinct().Count());
        Assert.Equal(2, workers.Select(w => w.Environment["OTEL_RESOURCE_ATTRIBUTES"]).Distinct().Count());
    }

    [Fact]
    public async Task A_collector_named_by_configuration_gets_the_telemetry()
    {
        await using var host = new HostFixture(
            "--DOTNET_DASHBOARD_OTLP_ENDPOINT_URL=http://localhost:18889", "--AppHost:OtlpApiKey=9146012b");
        host.Builder.AddProject<Projects.Dashboard>("gateway", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithHttpEndpoint();
        await host.StartAsync();
        var gateway = await ProcessOf("gateway");
        Assert.Equal("http://localhost:18889", gateway.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        Assert.Equal("grpc", gateway.Environment["OTEL_EXPORTER_OTLP_PROTOCOL"]);
        Assert.Equal("x-otlp-api-key=9146012b", gateway.Environment["OTEL_EXPORTER_OTLP_HEADERS"]);
    }

    [Fact]
    public async Task A_resource_with_an_otlp_endpoint_gets_the_telemetry_of_the_others()
    {
        await using var host = new HostFixture();
        host.Builder.AddProject<Projects.Gateway>("gateway", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithHttpEndpoint();
        host.Builder.AddProject<Projects.Dashboard>("dashboard", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithHttpEndpoint().WithHttpEndpoint(name: "otlp");
        var app = await host.StartAsync();
        var collector = app.GetEndpoint("dashboard", "otlp").OriginalString;
        Assert.Equal(collector, (await ProcessOf("gateway")).Environment["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        var dashboard = await ProcessOf("dashboard");
        Assert.DoesNotContain("OTEL_EXPORTER_OTLP_ENDPOINT", dashboard.Environment.Keys);
        Assert.Equal(app.GetEndpoint("dashboard", "http").OriginalString + ";" + collector, dashboard.Environment["ASPNETCORE_URLS"]);
    }

    private static async Task<RunningProcess> ProcessOf(string service)
        => (await Eventually.SeeAsync(() => Services(service), found => found.Count == 1))[0];

    private static Task<IReadOnlyList<RunningProcess>> WorkersAsync()
        => Eventually.SeeAsync(() => Services("worker"), found => found.Count == 2);

    // What setsid has not yet replaced by the service has the same environment.
    private static IReadOnlyList<RunningProcess> Services(string name) => [.. RunningProcess.StartedBy(Environment.ProcessId)
        .Where(p => p.Environment.GetValueOrDefault("OTEL_SERVICE_NAME") == name && p.CommandLine.Split(' ')[0].EndsWith("/dotnet", StringComparison.Ordinal))];
}
