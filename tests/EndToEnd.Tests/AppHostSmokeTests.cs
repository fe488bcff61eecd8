using System.Net;
using Aspire.Hosting;
using Aspire.Hosting.Testing;

namespace Fastgen.EndToEnd.Tests;

/// <summary>The app host's own entry point, run inside the test with a real Redis and real service processes.</summary>
public sealed class AppHostSmokeTests
{
    // A loaded machine compiles and starts five processes in this time; a healthy one needs a few seconds.
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task The_app_host_starts_its_services_and_can_do_so_again_in_one_process()
    {
        for (var round = 0; round < 2; round++)
        {
            var addresses = new List<Uri>();
            await using var appHost = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(["--Worker:Replicas=2"]);
            await using var app = await appHost.BuildAsync();
            await app.StartAsync();
            foreach (var resource in (string[])["redis", "worker", "gateway", "dashboard"])
            {
                await app.ResourceNotifications.WaitForResourceHealthyAsync(resource).WaitAsync(StartLimit);
            }

            foreach (var resource in (string[])["worker", "gateway", "dashboard"])
            {
                using var http = app.CreateHttpClient(resource, "http");
                Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health")).StatusCode);
                addresses.Add(app.GetEndpoint(resource, "http"));
            }

            Assert.Matches("^localhost:[0-9]+,password=[A-Za-z0-9]+$", await app.GetConnectionStringAsync("redis"));
            await app.StopAsync();
            using var afterwards = new HttpClient();
            await Assert.ThrowsAsync<HttpRequestException>(() => afterwards.GetAsync(new Uri(addresses[^1], "/health")));
            Assert.DoesNotContain(addresses, address => address.Port is 8080 or 18900);
            Assert.Equal(addresses.Count, addresses.Distinct().Count());
        }
    }

    [Fact]
    public async Task A_test_may_change_the_configuration_before_it_builds()
    {
        await using var appHost = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(["--ConnectionStrings:redis=given.example:6379"]);
        appHost.Configuration["Hosting:StopGraceMs"] = "100";
        await using var app = await appHost.BuildAsync();
        Assert.Equal("given.example:6379", await app.GetConnectionStringAsync("redis"));
    }

    [Fact]
    public async Task A_wrong_setting_of_the_app_host_reaches_the_test()
        => await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            () => DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(["--Worker:Replicas=0"]));
}
