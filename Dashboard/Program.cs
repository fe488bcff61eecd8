using Fastgen.Dashboard.Observation;
using Fastgen.Dashboard.Pages;
using Fastgen.ServiceDefaults;
using Microsoft.Extensions.Diagnostics.HealthChecks;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
// The gateway is asked every second; four lines of log for each would bury what the system says when it is ready.
builder.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning);
builder.AddRedisClient("redis", options => options with
{
    // The page says within two seconds that Redis is away, and as soon that it is back.
    CommandTimeout = TimeSpan.FromSeconds(2),
    BackoffMax = TimeSpan.FromSeconds(1),
});

// Without Redis this page is needed most: its absence is shown, and does not take the page away.
builder.Services.Configure<HealthCheckServiceOptions>(health =>
{
    foreach (var check in health.Registrations.Where(check => check.Name.StartsWith("redis:", StringComparison.Ordinal)).ToArray())
    {
        health.Registrations.Remove(check);
    }
});

// Whoever starts it by hand, without an address, gets it on this machine alone.
if (string.IsNullOrEmpty(builder.Configuration["urls"] + builder.Configuration["http_ports"] + builder.Configuration["https_ports"]))
{
    builder.WebHost.UseUrls("http://127.0.0.1:18900");
}

builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton(GatewayLinks.Read(builder.Configuration));
builder.Services.AddHttpClient<GatewayProbe>();
builder.Services.AddSingleton<StackReader>();
builder.Services.AddSingleton<StackObserver>();
builder.Services.AddHostedService(services => services.GetRequiredService<StackObserver>());
builder.Services.AddSingleton<Fragments>();
builder.Services.AddSingleton<UpdateFeed>();

var app = builder.Build();
app.MapDashboard();
app.MapDefaultEndpoints();
app.Run();
