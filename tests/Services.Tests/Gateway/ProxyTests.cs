using System.Net;
using System.Text.Json;
using Fastgen.Services.Tests.Architecture;
using Fastgen.Services.Tests.Fleet;
using Fastgen.Services.Tests.OpenAI;
using Fastgen.Services.Tests.Tools;

namespace Fastgen.Services.Tests.Gateway;

/// <summary>The gateway's key, and its routes to other services: a worker's pages and another OpenAI server.</summary>
[Collection(FleetTests.Name)]
public sealed class ProxyTests(FleetRedis redis)
{
    private const string Key = "sk-fleet";

    [Fact]
    public async Task The_key_guards_the_API_and_all_that_is_proxied_but_not_the_probes()
    {
        await using var fleet = new TestFleet(redis);
        HttpClient worker = await fleet.StartWorkerAsync();
        HttpClient gateway = await fleet.StartGatewayAsync([("Gateway:ApiKey", Key), .. Route("workers", worker.BaseAddress!)]);
        foreach (string path in (string[])["/v1/models", "/models", "/v1/chat/completions", "/workers/status", "/workers/health", "/workers/no-such-page"])
        {
            foreach (string? sent in (string?[])[null, "", "Bearer", "Bearer wrong", "Bearer sk-f", "Bearer " + Key + "x", "Basic " + Key, Key])
            {
                using HttpResponseMessage refused = await GetAsync(gateway, path, sent);
                JsonElement error = await ApiServer.ErrorAsync(refused, 401);
                // OpenAI has a code for a wrong key and none for a missing one.
                Assert.Equal(sent?.StartsWith("Bearer ", StringComparison.Ordinal) == true ? "invalid_api_key" : null, error.GetProperty("code").GetString());
                Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
                Assert.Equal("Bearer", refused.Headers.WwwAuthenticate.ToString());
            }
        }

        foreach (string path in (string[])["/health", "/alive"])
        {
            using HttpResponseMessage probe = await GetAsync(gateway, path, null);
            Assert.Equal(HttpStatusCode.OK, probe.StatusCode);
        }

        foreach (string scheme in (string[])["Bearer ", "bearer "])
        {
            using HttpResponseMessage models = await GetAsync(gateway, "/v1/models", scheme + Key);
            Assert.Contains("\"demo\"", await models.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            using HttpResponseMessage status = await GetAsync(gateway, "/workers/status", scheme + Key);
            Assert.Contains("\"Model\":\"demo\"", await status.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        gateway.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", "Bearer " + Key);
        using EventStream answer = await EventStream.PostAsync(gateway, "/v1/chat/completions", ChatBody.Of(5, stream: true));
        Assert.Equal(5, (await answer.LastAsync()).GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        await fleet.AssertNothingIsHeldAsync();
    }

    [Fact]
    public async Task Another_OpenAI_server_is_reached_through_the_gateway()
    {
        await using ToolProcess server = ToolProcess.Start(
            "fgserve", Path.Combine(SourceTree.Root, "models", "demo"), "--port", "0", "--threads", "1", "--kv-cache-gb", "0.05", "--served-model-name", "elsewhere");
        await server.WaitForOutputAsync(output => output.Contains("curl", StringComparison.Ordinal) && output.EndsWith('\n'));
        await using var fleet = new TestFleet(redis);
        HttpClient gateway = await fleet.StartGatewayAsync(Route("other", ServedModel.AddressIn(server.Output)));

        Assert.Contains("\"elsewhere\"", await gateway.GetStringAsync(new Uri("/other/v1/models", UriKind.Relative)), StringComparison.Ordinal);
        using (EventStream answer = await EventStream.PostAsync(gateway, "/other/v1/chat/completions", ChatBody.Of(40, choices: 2, stream: true, model: "elsewhere")))
        {
            int parts = 0;
            JsonElement last = default;
            while (await answer.NextAsync() is { } next)
            {
                parts++;
                last = next;
            }

            Assert.Equal(80, last.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
            Assert.True(parts > 2, "The proxy should pass on events, not an answer.");
        }

        using HttpResponseMessage wrong = await gateway.PostAsync(new Uri("/other/v1/chat/completions", UriKind.Relative), ChatBody.Of(5));
        Assert.Equal("model_not_found", (await ApiServer.ErrorAsync(wrong, 404)).GetProperty("code").GetString());
    }

    /// <summary>A route of that name to the service of that name, which configuration finds as Aspire injects it.</summary>
    private static (string Name, string Value)[] Route(string name, Uri address) =>
    [
        ($"ReverseProxy:Routes:{name}:ClusterId", name),
        ($"ReverseProxy:Routes:{name}:Match:Path", $"/{name}/{{**rest}}"),
        ($"ReverseProxy:Routes:{name}:Transforms:0:PathRemovePrefix", $"/{name}"),
        ($"ReverseProxy:Clusters:{name}:Destinations:one:Address", $"http://{name}-service"),
        ($"services:{name}-service:http:0", address.GetLeftPart(UriPartial.Authority)),
    ];

    private static async Task<HttpResponseMessage> GetAsync(HttpClient http, string path, string? authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (authorization is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        }

        return await http.SendAsync(request);
    }
}
