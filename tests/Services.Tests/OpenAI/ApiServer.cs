using System.Net;
using System.Text;
using System.Text.Json;
using Fastgen.Contracts;
using Fastgen.OpenAI;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fastgen.Services.Tests.OpenAI;

/// <summary>The API over the echo service on a real Kestrel port.</summary>
public sealed class ApiServer : IAsyncLifetime
{
    private WebApplication? _app;

    internal EchoGenerationService Service { get; } = new();

    internal OpenAiOptions Options { get; init; } = new();

    public HttpClient Client { get; } = new() { Timeout = Eventually.Limit };

    public Uri Address => Client.BaseAddress!;

    public async ValueTask InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrel().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IGenerationService>(Service);
        _app = builder.Build();
        _app.MapOpenAi(Options);
        _app.MapOpenAiNotFound(Options);
        await _app.StartAsync();
        Client.BaseAddress = new Uri(_app.Urls.First());
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }
    }

    internal Task<HttpResponseMessage> PostAsync(string path, string json) => PostAsync(path, Encoding.UTF8.GetBytes(json));

    internal async Task<HttpResponseMessage> PostAsync(string path, byte[] body)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new("application/json");
        return await Client.PostAsync(new Uri(path, UriKind.Relative), content);
    }

    /// <summary>Posts and expects 200 with one JSON object.</summary>
    internal async Task<JsonElement> AskAsync(string path, string json)
    {
        using HttpResponseMessage response = await PostAsync(path, json);
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, body);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        return JsonDocument.Parse(body).RootElement;
    }

    /// <summary>Posts and expects 200 with server-sent events, every one a line of data and a blank line, the last one [DONE].</summary>
    internal async Task<List<JsonElement>> StreamAsync(string path, string json)
    {
        using HttpResponseMessage response = await PostAsync(path, json);
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, body);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        string[] events = body.Split("\n\n");
        Assert.Equal("", events[^1]);
        Assert.Equal("data: [DONE]", events[^2]);
        return [.. events[..^2].Select(Parse)];

        static JsonElement Parse(string text)
        {
            Assert.StartsWith("data: ", text, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', text);
            return JsonDocument.Parse(text["data: ".Length..]).RootElement;
        }
    }

    /// <summary>Expects OpenAI's error body and returns what is inside.</summary>
    internal static async Task<JsonElement> ErrorAsync(HttpResponseMessage response, int status)
    {
        string body = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode} instead of {status}: {body}");
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        JsonElement root = JsonDocument.Parse(body).RootElement;
        JsonProperty only = Assert.Single(root.EnumerateObject());
        Assert.Equal("error", only.Name);
        Assert.Equal(["message", "type", "param", "code"], only.Value.EnumerateObject().Select(field => field.Name));
        Assert.NotEqual("", only.Value.GetProperty("message").GetString());
        return only.Value;
    }
}
