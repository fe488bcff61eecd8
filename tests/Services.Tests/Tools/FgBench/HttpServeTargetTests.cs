using System.Net;
using System.Net.Sockets;
using System.Text;
using Fastgen.Tools.FgBench.Serving;

namespace Fastgen.Services.Tests.Tools.FgBench;

/// <summary>Streams as other servers write them, byte for byte.</summary>
public sealed class HttpServeTargetTests
{
    private static readonly ServeLoad Chat = new(1, 1, null, 1, 4, null, 100, false);

    [Fact]
    public async Task Spaces_carriage_returns_and_comments_are_read()
    {
        (ServeAnswer answer, int pieces) = await AskAsync(Chat,
            ": keep-alive\r\n\r\n",
            "data: {\"choices\": [{\"index\": 0, \"delta\": {\"role\": \"assistant\", \"content\": \"\"}}]}\r\n\r\n",
            "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"say \\\"hi\\\"\"}}]}\r\n\r\nda",
            "ta: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \" \\u00e9\\n\"}}]}\r\n\r\n",
            "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 7, \"completion_tokens\": 4}}\r\n\r\ndata: [DONE]\r\n\r\n");

        Assert.Equal("say \"hi\" é\n", answer.Text);
        Assert.Equal(4, answer.Tokens);
        Assert.Equal(2, pieces);
    }

    [Fact]
    public async Task Usage_beside_the_text_counts_and_the_last_one_wins()
    {
        (ServeAnswer answer, int pieces) = await AskAsync(Chat with { PromptTokens = 3 },
            "data: {\"choices\":[{\"text\":\"a\"}],\"usage\":{\"completion_tokens\":1}}\n\n",
            "data: {\"choices\":[{\"text\":\"bc\"}],\"usage\":{\"completion_tokens\":3}}\n\n");

        Assert.Equal(("abc", 3, 2), (answer.Text, answer.Tokens, pieces));
    }

    [Fact]
    public async Task Without_usage_a_piece_counts_as_a_token()
    {
        (ServeAnswer answer, _) = await AskAsync(Chat, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]\n\n");

        Assert.Equal(("ab", 2), (answer.Text, answer.Tokens));
    }

    [Fact]
    public async Task An_error_in_the_stream_is_one()
    {
        InvalidOperationException error = await Assert.ThrowsAsync<InvalidOperationException>(() => AskAsync(Chat, "data: {\"error\":{\"message\":\"out of luck\"}}\n\n"));

        Assert.Contains("out of luck", error.Message, StringComparison.Ordinal);
    }

    private static async Task<(ServeAnswer Answer, int Pieces)> AskAsync(ServeLoad load, params string[] parts)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task serving = ServeAsync(listener, parts);
        await using var target = new HttpServeTarget(new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), "m", null, load);
        target.Prepare(1, load.MaxTokens);
        int pieces = 0;
        ServeAnswer answer = await target.StreamAsync(0, load.MaxTokens, () => pieces++, TestContext.Current.CancellationToken);
        await serving;
        return (answer, pieces);
    }

    private static async Task ServeAsync(TcpListener listener, string[] parts)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
        NetworkStream stream = client.GetStream();
        var request = new StringBuilder();
        byte[] buffer = new byte[4096];
        while (!request.ToString().Contains("\"max_tokens\":4}", StringComparison.Ordinal))
        {
            int read = await stream.ReadAsync(buffer, TestContext.Current.CancellationToken);
            Assert.True(read > 0, request.ToString());
            request.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        foreach (string part in parts)
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(part), TestContext.Current.CancellationToken);
            await stream.FlushAsync(TestContext.Current.CancellationToken);
        }
    }
}
