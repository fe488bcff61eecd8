using System.Diagnostics;
using System.Globalization;
using System.Net;
using Fastgen.ServiceDefaults;
using Fastgen.ServiceDefaults.Redis;
using Fastgen.Services.Tests.Redis;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Fastgen.Services.Tests.ServiceDefaults;

public sealed class ServiceDefaultsTests
{
    [Fact]
    public async Task Health_follows_redis_and_alive_does_not()
    {
        await using RedisServer server = await RedisServer.StartAsync("--requirepass", "secret");
        await using WebApplication app = await DefaultService.StartAsync(("ConnectionStrings:redis", $"127.0.0.1:{server.Port},password=secret,asyncTimeout=2000"));
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        await Eventually.BeTrueAsync(IsHealthyAsync);
        Assert.Same(app.Services.GetRequiredService<RedisClient>(), app.Services.GetRequiredService<RedisClient>());

        await server.KillAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await http.GetAsync(new Uri("/health", UriKind.Relative))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri("/alive", UriKind.Relative))).StatusCode);

        await server.StartAgainAsync();
        await Eventually.BeTrueAsync(IsHealthyAsync);

        async Task<bool> IsHealthyAsync() => (await http.GetAsync(new Uri("/health", UriKind.Relative))).StatusCode == HttpStatusCode.OK;
    }

    [Fact]
    public void A_missing_connection_string_is_named()
    {
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => WebApplication.CreateBuilder().AddRedisClient("redis"));
        Assert.Contains("ConnectionStrings__redis", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clients_of_the_factory_find_services_by_name()
    {
        await using WebApplication target = await DefaultService.StartAsync();
        await using WebApplication app = await DefaultService.StartAsync(("services:gateway:http:0", target.Urls.First()));
        using HttpClient http = app.Services.GetRequiredService<IHttpClientFactory>().CreateClient();
        Assert.Equal("item 7", await http.GetStringAsync(new Uri("http://gateway/items/7")));
    }

    [Fact]
    public async Task A_service_ends_when_its_parent_is_killed()
    {
        using Process parent = Process.Start("sleep", "600");
        await using WebApplication app = await DefaultService.StartAsync(("FASTGEN_PARENT_PID", parent.Id.ToString(CultureInfo.InvariantCulture)));
        Task ended = app.WaitForShutdownAsync();
        await Task.Delay(1200);
        Assert.False(ended.IsCompleted);
        parent.Kill();
        await ended.WaitAsync(Eventually.Limit);
    }

    [Fact]
    public async Task A_service_whose_parent_is_gone_already_ends_at_once()
    {
        using Process parent = Process.Start("true");
        await parent.WaitForExitAsync();
        try
        {
            await using WebApplication app = await DefaultService.StartAsync(("FASTGEN_PARENT_PID", parent.Id.ToString(CultureInfo.InvariantCulture)));
            await app.WaitForShutdownAsync().WaitAsync(Eventually.Limit);
        }
        catch (OperationCanceledException)
        {
            // It ended while it was still starting, which ends a process too.
        }
    }
}
