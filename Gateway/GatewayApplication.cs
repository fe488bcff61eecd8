using Fastgen.Contracts;
using Fastgen.OpenAI;
using Fastgen.ServiceDefaults;
using Yarp.ReverseProxy.ServiceDiscovery;

namespace Fastgen.Gateway;

/// <summary>Puts the gateway together.</summary>
internal static class GatewayApplication
{
    public static WebApplication Build(string[] args)
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        GatewayOptions options = builder.Configuration.GetSection("Gateway").Get<GatewayOptions>() ?? new GatewayOptions();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
        });
        // Whoever has news of a stream writes it to the socket: everything here is asynchronous, so nothing blocks that thread.
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        AddFleet(builder.Services, options);
        builder.Services.AddReverseProxy().LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"));
        builder.Services.AddSingleton<IDestinationResolver, ServiceDestinationResolver>();

        WebApplication app = builder.Build();
        app.MapDefaultEndpoints();
        var api = new OpenAiOptions
        {
            ApiKey = string.IsNullOrEmpty(options.ApiKey) ? null : options.ApiKey,
            MaxBodyBytes = options.MaxBodyBytes,
        };
        app.MapOpenAi(api);
        // On the proxied routes too: what stands behind them trusts the gateway.
        var keys = new ApiKeyCheck(api);
        app.MapReverseProxy(proxy =>
        {
            proxy.Use(async (context, next) =>
            {
                if (await keys.AdmitsAsync(context))
                {
                    await next(context);
                }
            });
            // A pipeline of one's own has only what is named: without this the cluster's policy is ignored and chance decides.
            proxy.UseLoadBalancing();
        });
        return app;
    }

    private static void AddFleet(IServiceCollection services, GatewayOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<GatewayIdentity>();
        services.AddSingleton<GatewayCounters>();
        services.AddSingleton<PendingRequests>();
        services.AddSingleton<FleetDirectory>();
        services.AddSingleton<RequestQueue>();
        services.AddSingleton<IGenerationService, FleetGenerationService>();
        services.AddHostedService<ReplyListener>();
        services.AddHostedService<GatewayHeartbeat>();
        services.AddHostedService<StopNotice>();
    }
}
