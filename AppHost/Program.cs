using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Fastgen.AppHost;
using Microsoft.Extensions.Configuration;

// The whole system: Redis carries requests and replies between the gateway, which speaks the OpenAI API,
// and the workers, which run the model. Each setting read here is also a command line option: --gateway:port=9000.
var builder = DistributedApplication.CreateBuilder(args);
var settings = builder.Configuration;
var isRun = builder.ExecutionContext.IsRunMode;

// A published service listens on 8080 in its own container; in run mode replicas share the machine, so ports are given out.
int? containerPort = isRun ? null : 8080;

// ---- parameters: --parameters:model-path=..., or Parameters__model-path in the environment --------------------------
var model = settings["Parameters:model-path"] ?? (isRun ? Path.GetFullPath("../models/demo", builder.AppHostDirectory) : "/models/demo");
if (isRun && Directory.Exists(model))
{
    // As the caller means it: a worker runs in a folder of its own.
    model = Path.GetFullPath(model);
}

var key = settings["Parameters:api-key"] ?? ""; // empty: no key is asked for
var modelPath = builder.AddParameter("model-path", () => model, publishValueAsDefault: true);
var apiKey = builder.AddParameter("api-key", () => key, secret: true);

// ---- redis: an existing server named by ConnectionStrings:redis wins over one of our own -------------------------
IResourceBuilder<IResourceWithConnectionString> redis =
    isRun && settings.GetConnectionString("redis") is { Length: > 0 }
        ? builder.AddConnectionString("redis")
        : builder.AddRedis("redis");

// ---- services ------------------------------------------------------------------------------------------------------
var worker = builder.AddProject<Projects.InferenceWorker>("worker", launchProfileName: null)
    .WithHttpEndpoint(targetPort: containerPort, name: "http")
    .WithReference(redis)
    .WaitFor(redis)
    .WithEnvironment("Model__Path", modelPath)
    .WithHttpHealthCheck("/health")
    .WithReplicas(settings.GetValue("Worker:Replicas", 2));
if (isRun)
{
    // Replicas share this machine's cores. Each taking all of them, they would wait for each other at every layer.
    var threads = Math.Max(1, Environment.ProcessorCount / settings.GetValue("Worker:Replicas", 2));
    worker.WithEnvironment("Engine__Threads", settings["Worker:Threads"] ?? threads.ToString(CultureInfo.InvariantCulture));
}

var gateway = builder.AddProject<Projects.Gateway>("gateway", launchProfileName: null)
    .WithHttpEndpoint(port: isRun ? settings.GetValue("Gateway:Port", 8080) : null, targetPort: containerPort, name: "http")
    .WithReference(redis)
    .WithReference(worker) // its health and status behind /workers/
    .WaitFor(redis)
    .WaitFor(worker)
    .WithEnvironment("Gateway__ApiKey", apiKey)
    .WithHttpHealthCheck("/health")
    .WithExternalHttpEndpoints();

var dashboard = builder.AddProject<Projects.Dashboard>("dashboard", launchProfileName: null)
    .WithHttpEndpoint(port: isRun ? settings.GetValue("Dashboard:Port", 18900) : null, targetPort: containerPort, name: "http")
    .WithReference(redis)
    .WithReference(gateway)
    .WaitFor(redis)
    .WithHttpHealthCheck("/health")
    .WithExternalHttpEndpoints();

Publishing.Describe(builder, worker, gateway, dashboard);
Announcement.WhenReady(builder, gateway, dashboard, model, hasKey: key.Length > 0);
builder.Build().Run();
