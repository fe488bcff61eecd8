using System.Text.Json;

namespace Fastgen.Services.Tests.Fleet;

/// <summary>Server-sent events of an answer, read one by one.</summary>
internal sealed class EventStream : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _reader;

    private EventStream(HttpResponseMessage response, Stream body)
    {
        _response = response;
        _reader = new StreamReader(body);
    }

    public static async Task<EventStream> PostAsync(HttpClient http, string path, HttpContent body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body };
        HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}: {(response.IsSuccessStatusCode ? "" : await response.Content.ReadAsStringAsync())}");
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return new EventStream(response, await response.Content.ReadAsStreamAsync());
    }

    /// <returns>Null at [DONE].</returns>
    public async Task<JsonElement?> NextAsync() => await NextDataAsync() is { } data ? JsonDocument.Parse(data).RootElement : null;

    /// <summary>The last event before [DONE].</summary>
    public async Task<JsonElement> LastAsync()
    {
        // Not parsed one by one: a server that stops waits only so long for a slow reader.
        string? last = null;
        while (await NextDataAsync() is { } next)
        {
            last = next;
        }

        return last is null ? throw new InvalidOperationException("The stream has no event but [DONE].") : JsonDocument.Parse(last).RootElement;
    }

    public void Dispose()
    {
        _reader.Dispose();
        _response.Dispose();
    }

    private async Task<string?> NextDataAsync()
    {
        while (true)
        {
            string? line = await _reader.ReadLineAsync();
            Assert.True(line is not null, "The stream ended without [DONE].");
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                return line == "data: [DONE]" ? null : line["data: ".Length..];
            }
        }
    }
}
