using Fastgen.ServiceDefaults.Redis;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fastgen.ServiceDefaults;

/// <summary>What every service of the suite does alike.</summary>
public static class ServiceDefaultsExtensions
{
    private const string ReadyPath = "/health";
    private const string LivePath = "/alive";
    private const string LiveTag = "live";

    /// <summary>
    /// Adds telemetry (exported when <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set), health checks, service discovery for
    /// every <see cref="HttpClient"/> of the factory, a time for a graceful end, and the watch over the parent process
    /// (when <c>FASTGEN_PARENT_PID</c> is set).
    /// </summary>
    /// <param name="builder">The service.</param>
    /// <param name="sources">Names of activity sources and meters of the service itself, besides those of the framework.</param>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder, params string[] sources)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        Telemetry.Add(builder, sources);
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag]);
        builder.Services.TryAddTransient<ServiceDiscoveryHandler>();
        builder.Services.ConfigureHttpClientDefaults(http => http.AddHttpMessageHandler<ServiceDiscoveryHandler>());

        // Kubernetes kills after 30 seconds by default; running streams get most of that.
        int seconds = builder.Configuration.GetValue("ShutdownSeconds", 25);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(seconds));
        builder.Services.AddSingleton<IStartupFilter, ServerSpanFilter>();
        builder.Services.AddHostedService<ParentProcessWatch>();
        return builder;
    }

    /// <summary>Maps <c>/health</c> (ready: all checks) and <c>/alive</c> (live: the process answers).</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapHealthChecks(ReadyPath);
        app.MapHealthChecks(LivePath, new HealthCheckOptions { Predicate = check => check.Tags.Contains(LiveTag) });
        return app;
    }

    /// <summary>
    /// Registers a <see cref="RedisClient"/> from the connection string <paramref name="connectionName"/>
    /// (<c>ConnectionStrings__{name}</c> in the environment) as a singleton, and a health check for it.
    /// </summary>
    /// <param name="builder">The service.</param>
    /// <param name="connectionName">Name of the connection string; Aspire injects it under the resource's name.</param>
    /// <param name="configure">Changes the options after the connection string was read.</param>
    /// <exception cref="InvalidOperationException">There is no such connection string, or it is malformed.</exception>
    public static TBuilder AddRedisClient<TBuilder>(this TBuilder builder, string connectionName, Func<RedisOptions, RedisOptions>? configure = null)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        string text = builder.Configuration.GetConnectionString(connectionName) ?? "";
        if (text.Length == 0)
        {
            throw new InvalidOperationException($"The connection string '{connectionName}' is not set; set ConnectionStrings__{connectionName}=host:port,password=… or start the service through the AppHost.");
        }

        RedisOptions options = RedisOptions.Parse(text);
        options = options with { ClientName = options.ClientName ?? ClientName(builder.Environment.ApplicationName) };
        options = configure is null ? options : configure(options);
        builder.Services.AddSingleton(services => new RedisClient(options, services.GetRequiredService<ILogger<RedisClient>>()));
        builder.Services.AddHealthChecks().AddCheck<RedisHealthCheck>($"redis:{connectionName}");
        return builder;
    }

    /// <summary>Paths that only probes ask for, which would drown the traces.</summary>
    internal static bool IsProbe(string? path) => path is ReadyPath or LivePath;

    private static string ClientName(string application) => $"{application.Replace(' ', '-')}-{Environment.ProcessId}";
}
