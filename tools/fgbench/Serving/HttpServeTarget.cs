using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Fastgen.Tools.FgBench.Serving;

/// <summary>A server with the OpenAI API. Reads the events without a JSON parser, since the client shares the machine with what it measures.</summary>
internal sealed class HttpServeTarget : IServeTarget
{
    private const int BufferBytes = 64 << 10;

    private readonly HttpClient _http;
    private readonly string _model;
    private readonly ServeLoad _load;
    private byte[][] _bodies = [];

    /// <param name="address">Of the server, with or without <c>/v1</c>.</param>
    /// <param name="apiKey">Sent as a bearer token; null sends none.</param>
    public HttpServeTarget(Uri address, string model, string? apiKey, ServeLoad load)
    {
        _http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = int.MaxValue, UseProxy = false }) { BaseAddress = Root(address), Timeout = Timeout.InfiniteTimeSpan };
        if (apiKey is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        }

        _model = model;
        _load = load;
    }

    public void Prepare(int requests, int maxTokens) => _bodies = [.. Enumerable.Range(0, requests).Select(index => Encoding.UTF8.GetBytes(Body(index, maxTokens)))];

    public async Task<ServeAnswer> StreamAsync(int index, int maxTokens, Action onPiece, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _load.PromptTokens is null ? "v1/chat/completions" : "v1/completions");
        request.Content = new ByteArrayContent(_bodies[index]);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"Request {index} was answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(cancellationToken)}");
        }

        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            return await ReadAsync(stream, buffer, onPiece, cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private string Body(int index, int maxTokens)
    {
        string prompt = _load.PromptTokens is null
            ? $$"""{"messages":[{"role":"user","content":{{JsonSerializer.Serialize(ServeLoad.Question(index))}}}]"""
            : $$"""{"prompt":[{{string.Join(',', _load.Tokens(index))}}]""";
        return prompt + string.Create(
            CultureInfo.InvariantCulture,
            $",\"model\":\"{_model}\",\"stream\":true,\"stream_options\":{{\"include_usage\":true}},\"temperature\":0,\"seed\":1,{(_load.MayEndEarly ? "" : "\"ignore_eos\":true,")}\"max_tokens\":{maxTokens}}}");
    }

    private static Uri Root(Uri address)
    {
        string text = address.AbsoluteUri.TrimEnd('/');
        return new Uri((text.EndsWith("/v1", StringComparison.Ordinal) ? text[..^3] : text) + "/");
    }

    private static async Task<ServeAnswer> ReadAsync(Stream stream, byte[] buffer, Action onPiece, CancellationToken cancellationToken)
    {
        var text = new ArrayBufferWriter<byte>(2048);
        text.Write("\""u8);
        int filled = 0;
        int tokens = -1;
        int pieces = 0;
        while (true)
        {
            int read = await stream.ReadAsync(buffer.AsMemory(filled), cancellationToken);
            if (read == 0)
            {
                break;
            }

            filled += read;
            int before = pieces;
            int used = TakeEvents(buffer.AsSpan(0, filled), text, ref tokens, ref pieces);
            buffer.AsSpan(used, filled - used).CopyTo(buffer);
            filled -= used;
            for (int i = before; i < pieces; i++)
            {
                onPiece();
            }

            if (filled == buffer.Length)
            {
                throw new InvalidOperationException($"The server sent an event of more than {BufferBytes} bytes; this is no stream of tokens.");
            }
        }

        text.Write("\""u8);
        // A server that sends no usage is taken to send a piece per token.
        return new ServeAnswer(JsonSerializer.Deserialize<string>(text.WrittenSpan)!, tokens >= 0 ? tokens : pieces);
    }

    /// <returns>Bytes of whole lines; an event of this API is one line.</returns>
    private static int TakeEvents(ReadOnlySpan<byte> bytes, ArrayBufferWriter<byte> text, ref int tokens, ref int pieces)
    {
        int used = 0;
        while (true)
        {
            int end = bytes[used..].IndexOf((byte)'\n');
            if (end < 0)
            {
                return used;
            }

            if (end > 1)
            {
                TakeEvent(bytes.Slice(used, end), text, ref tokens, ref pieces);
            }

            used += end + 1;
        }
    }

    private static void TakeEvent(ReadOnlySpan<byte> news, ArrayBufferWriter<byte> text, ref int tokens, ref int pieces)
    {
        int start = AfterKey(news, "\"content\""u8);
        start = start < 0 ? AfterKey(news, "\"text\""u8) : start;
        if (start >= 0 && start < news.Length && news[start] == (byte)'"')
        {
            ReadOnlySpan<byte> rest = news[(start + 1)..];
            int length = 0;
            while (length < rest.Length && rest[length] != (byte)'"')
            {
                length += rest[length] == (byte)'\\' ? 2 : 1;
            }

            text.Write(rest[..Math.Min(length, rest.Length)]);
            pieces += length > 0 ? 1 : 0;
        }
        else if (start < 0 && AfterKey(news, "\"error\""u8) is >= 0 and int error && news[error] == (byte)'{')
        {
            throw new InvalidOperationException($"The server broke off: {Encoding.UTF8.GetString(news)}");
        }

        if (AfterKey(news, "\"completion_tokens\""u8) is >= 0 and int count && System.Buffers.Text.Utf8Parser.TryParse(news[count..], out int value, out _))
        {
            tokens = value;
        }
    }

    /// <returns>Where the value of a key begins, or -1.</returns>
    private static int AfterKey(ReadOnlySpan<byte> news, ReadOnlySpan<byte> key)
    {
        int at = news.IndexOf(key);
        if (at < 0)
        {
            return -1;
        }

        at += key.Length;
        while (at < news.Length && news[at] is (byte)' ' or (byte)':')
        {
            at++;
        }

        return at < news.Length ? at : -1;
    }
}
