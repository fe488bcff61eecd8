using System.Diagnostics;
using Fastgen.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Fastgen.Services.Tests.ServiceDefaults;

/// <summary>A service with nothing but the defaults and two pages, in this process.</summary>
internal static class DefaultService
{
    public static async Task<WebApplication> StartAsync(params (string Key, string Value)[] settings)
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)));
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.AddServiceDefaults("Test.Source");
        if (settings.Any(s => s.Key == "ConnectionStrings:redis"))
        {
            builder.AddRedisClient("redis");
        }

        WebApplication app = builder.Build();
        app.MapDefaultEndpoints();
        var source = new ActivitySource("Test.Source");
        app.MapGet("/items/{id}", (string id, ILogger<TelemetryTests> logger) =>
        {
            using Activity? work = source.StartActivity("Test.Work");
            logger.LogWarning("looking up {Id}", id);
            return $"item {id}";
        });
        app.MapGet("/fail", string () => throw new InvalidOperationException("thrown by the test"));
        try
        {
            await app.StartAsync();
            return app;
        }
        catch
        {
            // Or the watch would take it for stuck after its time, and end the process of the tests.
            await app.StopAsync();
            await app.DisposeAsync();
            throw;
        }
    }
}
