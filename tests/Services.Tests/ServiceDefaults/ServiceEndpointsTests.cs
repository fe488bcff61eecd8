using System.Net;
using Fastgen.ServiceDefaults;
using Microsoft.Extensions.Configuration;

namespace Fastgen.Services.Tests.ServiceDefaults;

public sealed class ServiceEndpointsTests
{
    [Fact]
    public void Addresses_come_from_the_variables_that_Aspire_injects()
    {
        const string Prefix = "FASTGEN_TEST_ENDPOINTS_";
        Environment.SetEnvironmentVariable(Prefix + "services__worker__http__1", "http://localhost:40021");
        Environment.SetEnvironmentVariable(Prefix + "services__worker__http__0", "http://localhost:40020");
        Environment.SetEnvironmentVariable(Prefix + "services__worker__metrics__0", "http://localhost:9000");
        IConfiguration configuration = new ConfigurationBuilder().AddEnvironmentVariables(Prefix).Build();
        Assert.Equal(new Uri("http://localhost:40020"), ServiceEndpoints.Resolve(configuration, "worker", "http"));
        Assert.Equal([new Uri("http://localhost:40020"), new Uri("http://localhost:40021")], ServiceEndpoints.ResolveAll(configuration, "worker"));
        Assert.Equal(new Uri("http://localhost:9000"), ServiceEndpoints.Resolve(configuration, "WORKER", "metrics"));
        Assert.Null(ServiceEndpoints.Resolve(configuration, "gateway"));
    }

    [Fact]
    public void A_malformed_address_is_named()
    {
        FormatException error = Assert.Throws<FormatException>(() => ServiceEndpoints.Resolve(Configure(("services:gateway:http:0", "localhost:80")), "gateway"));
        Assert.Contains("services:gateway:http:0", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://gateway/v1/models?limit=2", "http://localhost:8080/v1/models?limit=2")]
    [InlineData("https+http://gateway/a", "http://localhost:8080/a")]
    [InlineData("https+http://both/a", "https://localhost:8443/base/a")]
    [InlineData("http://example.net:81/x", "http://example.net:81/x")]
    [InlineData("https://gateway/x", "https://gateway/x")]
    public async Task Requests_for_a_service_go_to_its_address(string asked, string sent)
    {
        IConfiguration configuration = Configure(("services:gateway:http:0", "http://localhost:8080"), ("services:both:http:0", "http://localhost:1"), ("services:both:https:0", "https://localhost:8443/base/"));
        var last = new RecordingHandler();
        using var client = new HttpClient(new ServiceDiscoveryHandler(configuration) { InnerHandler = last });
        await client.GetAsync(new Uri(asked));
        Assert.Equal(sent, Assert.Single(last.Sent));
    }

    [Fact]
    public async Task Replicas_are_taken_in_turn()
    {
        IConfiguration configuration = Configure(("services:worker:http:0", "http://a:1"), ("services:worker:http:1", "http://b:2"));
        var last = new RecordingHandler();
        using var client = new HttpClient(new ServiceDiscoveryHandler(configuration) { InnerHandler = last });
        for (int i = 0; i < 4; i++)
        {
            await client.GetAsync(new Uri("http://worker/x"));
        }

        Assert.Equal(["http://a:1/x", "http://b:2/x", "http://a:1/x", "http://b:2/x"], last.Sent);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri("https+http://unknown/x")));
    }

    private static IConfiguration Configure(params (string Key, string Value)[] settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))).Build();

    private sealed class RecordingHandler : HttpMessageHandler
    {
        public List<string> Sent { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Sent.Add(request.RequestUri!.ToString());
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK));
        }
    }
}
