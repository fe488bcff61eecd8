using Fastgen.ServiceDefaults;

namespace Fastgen.InferenceWorker;

/// <summary>Puts a worker together.</summary>
internal static class WorkerApplication
{
    /// <exception cref="InvalidOperationException">A setting is missing or cannot be.</exception>
    public static WebApplication Build(string[] args)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(args);
        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        builder.Services.AddSingleton(WorkerOptions.Read(builder.Configuration));
        builder.Services.AddSingleton<WorkerIdentity>();
        builder.Services.AddSingleton<WorkerState>();
        builder.Services.AddSingleton<RunningRequests>();
        builder.Services.AddSingleton<FairShare>();
        builder.Services.AddSingleton<ReplyStreams>();
        builder.Services.AddSingleton<RequestRunner>();
        builder.Services.AddSingleton<EntryKeeper>();
        builder.Services.AddSingleton<RequestPuller>();
        builder.Services.AddSingleton<Heartbeat>();
        builder.Services.AddHostedService<WorkerService>();
        builder.Services.AddHealthChecks().AddCheck<ModelHealthCheck>("model");

        WebApplication app = builder.Build();
        app.MapDefaultEndpoints();
        app.MapGet("/status", StatusEndpoint.WriteAsync);
        return app;
    }
}
