using System.Net;
using System.Text;
using System.Text.Json;

namespace Fastgen.Services.Tests.Tools;

/// <summary>fgserve as a process on the tiny model.</summary>
public sealed class ServedModel : IAsyncLifetime
{
    private readonly TinyChatModel _model = new();
    private ToolProcess? _server;

    public HttpClient Client { get; } = new() { Timeout = Eventually.Limit };

    internal ToolProcess Server => _server!;

    public async ValueTask InitializeAsync()
    {
        _server = ToolProcess.Start("fgserve", _model.Folder, "--port", "0", "--backend", "cpu", "--threads", "1", "--kv-cache-gb", "0.01");
        await _server.WaitForOutputAsync(output => output.Contains("curl", StringComparison.Ordinal) && output.EndsWith('\n'));
        Client.BaseAddress = AddressIn(_server.Output);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        _model.Dispose();
    }

    internal static Uri AddressIn(string output)
    {
        int start = output.IndexOf("http://", StringComparison.Ordinal);
        return new Uri(output[start..output.IndexOf("/v1", start, StringComparison.Ordinal)]);
    }

    internal async Task<HttpResponseMessage> PostAsync(string path, byte[] body)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new("application/json");
        return await Client.PostAsync(new Uri(path, UriKind.Relative), content);
    }

    internal async Task<JsonElement> AskAsync(string path, string body)
    {
        using HttpResponseMessage response = await PostAsync(path, Encoding.UTF8.GetBytes(body));
        string answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, answer);
        return JsonDocument.Parse(answer).RootElement;
    }

    internal async Task<List<JsonElement>> StreamAsync(string path, string body)
    {
        using HttpResponseMessage response = await PostAsync(path, Encoding.UTF8.GetBytes(body));
        string answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, answer);
        string[] events = answer.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        return [.. events[..^1].Select(text => JsonDocument.Parse(text["data: ".Length..]).RootElement)];
    }

    internal async Task<JsonElement> HealthAsync() =>
        JsonDocument.Parse(await Client.GetStringAsync(new Uri("/health", UriKind.Relative))).RootElement;

    /// <summary>Nothing runs, nothing waits, and every KV block is free.</summary>
    internal async Task AssertAllFreeAsync()
    {
        await Eventually.SeeAsync(HealthAsync, health =>
        {
            int total = health.GetProperty("total_blocks").GetInt32();
            Assert.True(total > 0);
            return health.GetProperty("running").GetInt32() == 0
                && health.GetProperty("waiting").GetInt32() == 0
                && health.GetProperty("free_blocks").GetInt32() == total;
        });
    }
}
