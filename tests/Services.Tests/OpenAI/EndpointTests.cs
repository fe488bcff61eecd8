using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Fastgen.Contracts;

namespace Fastgen.Services.Tests.OpenAI;

public sealed class EndpointTests
{
    private const string Chat = "/v1/chat/completions";

    private static string Body(string content, bool stream = false) =>
        $$"""{"messages":[{"role":"user","content":"{{content}}"}],"stream":{{(stream ? "true" : "false")}}}""";

    private static async Task<ApiServer> StartAsync(Fastgen.OpenAI.OpenAiOptions? options = null)
    {
        var server = new ApiServer { Options = options ?? new() };
        await server.InitializeAsync();
        return server;
    }

    [Fact]
    public async Task Models_are_listed_and_found_by_id_with_slashes()
    {
        await using ApiServer server = await StartAsync();
        const string Model = """{"id":"acme/echo","object":"model","created":1700000000,"owned_by":"fastgen","max_model_len":4096}""";

        foreach (string path in new[] { "/v1/models", "/models", "/v1/models/" })
        {
            Assert.Equal($$"""{"object":"list","data":[{{Model}}]}""", await server.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
        }

        foreach (string path in new[] { "/v1/models/acme/echo", "/models/acme/echo", "/v1/models/acme%2Fecho" })
        {
            Assert.Equal(Model, await server.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
        }

        using HttpResponseMessage missing = await server.Client.GetAsync(new Uri("/v1/models/acme", UriKind.Relative));
        JsonElement error = await ApiServer.ErrorAsync(missing, 404);
        Assert.Equal("model_not_found", error.GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_missing_model_is_an_error_when_there_are_several()
    {
        await using ApiServer server = await StartAsync();
        server.Service.Models = [new ModelInfo("a", 1, 10), new ModelInfo("b", 1, 10)];
        using HttpResponseMessage response = await server.PostAsync(Chat, Body("hi"));

        JsonElement error = await ApiServer.ErrorAsync(response, 400);
        Assert.Equal("model", error.GetProperty("param").GetString());
        Assert.Contains("2 models", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/v1/nothing", 404)]
    [InlineData("POST", "/v1/embeddings", 404)]
    [InlineData("GET", "/", 404)]
    [InlineData("GET", "/favicon.ico", 404)]
    [InlineData("GET", "/v1/chat/completions", 405)]
    [InlineData("PUT", "/completions", 405)]
    [InlineData("DELETE", "/v1/models/acme/echo", 405)]
    public async Task Unknown_paths_and_methods_get_the_error_body(string method, string path, int status)
    {
        await using ApiServer server = await StartAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage response = await server.Client.SendAsync(request);

        JsonElement error = await ApiServer.ErrorAsync(response, status);
        Assert.Contains(method, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(status == 405, response.Content.Headers.Allow.Count > 0);
    }

    [Theory]
    [InlineData("text/plain", null)]
    [InlineData("application/x-www-form-urlencoded", null)]
    [InlineData("application/json; charset=utf-16", null)]
    [InlineData("application/json", "gzip")]
    public async Task Other_media_types_are_415(string contentType, string? encoding)
    {
        await using ApiServer server = await StartAsync();
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(Body("hi")));
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        if (encoding is not null)
        {
            content.Headers.ContentEncoding.Add(encoding);
        }

        using HttpResponseMessage response = await server.Client.PostAsync(new Uri(Chat, UriKind.Relative), content);
        await ApiServer.ErrorAsync(response, 415);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_over_the_limit_is_413(bool chunked)
    {
        await using ApiServer server = await StartAsync(new() { MaxBodyBytes = 100_000 });
        using var request = new HttpRequestMessage(HttpMethod.Post, Chat) { Content = new StringContent(Body(new string('x', 200_000)), Encoding.UTF8, "application/json") };
        request.Headers.TransferEncodingChunked = chunked;
        using HttpResponseMessage response = await server.Client.SendAsync(request);

        JsonElement error = await ApiServer.ErrorAsync(response, 413);
        Assert.Contains("100,000 bytes", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("Bearer wrong", "invalid_api_key")]
    [InlineData("Basic c2VjcmV0", null)]
    public async Task The_key_is_asked_for_everywhere(string? authorization, string? code)
    {
        await using ApiServer server = await StartAsync(new() { ApiKey = "sécret" });
        foreach (string path in new[] { "/v1/models", Chat, "/v1/unknown" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
            using HttpResponseMessage response = await server.Client.SendAsync(request);

            JsonElement error = await ApiServer.ErrorAsync(response, 401);
            Assert.Equal(code, error.GetProperty("code").GetString());
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
        }
    }

    [Fact]
    public async Task The_right_key_opens()
    {
        await using ApiServer server = await StartAsync(new() { ApiKey = "secret" });
        server.Client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", "Bearer secret");

        await server.AskAsync(Chat, Body("hi"));
    }

    [Theory]
    [InlineData("too long", 400, "context_length_exceeded", null)]
    [InlineData("overloaded", 429, "rate_limit_exceeded", "7")]
    [InlineData("unavailable", 503, "service_unavailable", null)]
    [InlineData("internal", 500, null, null)]
    [InlineData("bug", 500, "internal_error", null)]
    [InlineData("break now and here", 500, "generation_failed", null)]
    public async Task Refusals_have_the_right_status(string prompt, int status, string? code, string? retryAfter)
    {
        await using ApiServer server = await StartAsync();
        bool breaksLater = prompt.StartsWith("break", StringComparison.Ordinal);
        foreach (bool stream in breaksLater ? new[] { false } : [false, true])
        {
            using HttpResponseMessage response = await server.PostAsync(Chat, Body(prompt, stream));

            JsonElement error = await ApiServer.ErrorAsync(response, status);
            Assert.Equal(code, error.GetProperty("code").GetString());
            Assert.Equal(retryAfter, response.Headers.RetryAfter?.ToString());
            Assert.DoesNotContain("secret", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("break now and here", "the echo broke", "generation_failed")]
    [InlineData("throw now and here", "error while processing", "internal_error")]
    public async Task A_failure_inside_a_stream_is_an_error_event(string prompt, string words, string code)
    {
        await using ApiServer server = await StartAsync();
        List<JsonElement> events = await server.StreamAsync(Chat, Body(prompt, stream: true));

        Assert.Equal(" now", events[^2].GetProperty("choices")[0].GetProperty("delta").GetProperty("content").GetString());
        JsonElement error = events[^1].GetProperty("error");
        Assert.Contains(words, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.Equal("server_error", error.GetProperty("type").GetString());
        Assert.Equal(0, server.Service.Active);
    }

    [Theory]
    [InlineData("""{"messages":[{"role":"user","content":"slow"}],"stream":true}""", Chat)]
    [InlineData("""{"messages":[{"role":"user","content":"slow"}]}""", Chat)]
    [InlineData("""{"prompt":["slow","slow 2"],"stream":true}""", "/v1/completions")]
    public async Task A_client_that_goes_away_cancels_its_generation(string body, string path)
    {
        await using ApiServer server = await StartAsync();
        using (var client = new TcpClient())
        {
            await client.ConnectAsync("127.0.0.1", server.Address.Port);
            string request = $"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request));
            await Eventually.BeTrueAsync(() => server.Service.Active > 0);
        }

        await Eventually.BeTrueAsync(() => server.Service is { Active: 0, Cancelled: > 0 });
    }

    [Fact]
    public async Task Half_a_body_holds_nothing_and_hurts_nobody()
    {
        await using ApiServer server = await StartAsync();
        using (var client = new TcpClient())
        {
            await client.ConnectAsync("127.0.0.1", server.Address.Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST {Chat} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{\"mess"));
        }

        await server.AskAsync(Chat, Body("still there"));
        Assert.Single(server.Service.Requests);
    }
}
