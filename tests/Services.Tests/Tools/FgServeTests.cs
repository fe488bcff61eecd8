using System.ClientModel;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using global::OpenAI;
using global::OpenAI.Chat;

namespace Fastgen.Services.Tests.Tools;

public sealed class FgServeTests(ServedModel model) : IClassFixture<ServedModel>
{
    private const string Chat = "/v1/chat/completions";
    private const string Completions = "/v1/completions";

    private static string Message(string more) => $$"""{"messages":[{"role":"user","content":"Tell me."}],{{more}}}""";

    [Fact]
    public async Task It_prints_where_it_is_and_a_curl_line_that_works()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/curl"), "needs curl");
        string output = model.Server.Output;
        Assert.DoesNotContain('\e', output);
        string line = output.Split('\n').Single(text => text.Contains("curl", StringComparison.Ordinal)).Trim();
        string shorter = line.Replace("\"stream\":true", "\"stream\":true,\"max_tokens\":3,\"ignore_eos\":true", StringComparison.Ordinal);
        await using ToolProcess curl = ToolProcess.StartProgram("/bin/sh", "-c", shorter);

        Assert.Equal(0, await curl.ExitCodeAsync());
        Assert.EndsWith("data: [DONE]\n\n", curl.Output, StringComparison.Ordinal);
        Assert.Contains("\"finish_reason\":\"length\"", curl.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_folder_names_the_model()
    {
        JsonElement models = JsonDocument.Parse(await model.Client.GetStringAsync(new Uri("/models", UriKind.Relative))).RootElement;

        JsonElement only = Assert.Single(models.GetProperty("data").EnumerateArray());
        Assert.Equal("tiny-chat", only.GetProperty("id").GetString());
        Assert.Equal(TinyChatModel.ContextTokens, only.GetProperty("max_model_len").GetInt32());
    }

    [Theory]
    [InlineData("\"temperature\":0")]
    [InlineData("\"temperature\":1,\"seed\":7")]
    [InlineData("\"temperature\":1.5,\"seed\":8,\"top_p\":0.9,\"top_k\":40,\"min_p\":0.01,\"repetition_penalty\":1.1,\"presence_penalty\":0.5,\"frequency_penalty\":0.5")]
    public async Task Streamed_and_whole_answers_are_the_same(string sampling)
    {
        string body = Message(sampling + ",\"max_tokens\":60,\"n\":2");
        JsonElement whole = await model.AskAsync(Chat, body);
        List<JsonElement> chunks = await model.StreamAsync(Chat, body[..^1] + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");

        for (int index = 0; index < 2; index++)
        {
            JsonElement choice = whole.GetProperty("choices")[index];
            JsonElement[] parts = [.. chunks.SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray()).Where(part => part.GetProperty("index").GetInt32() == index)];
            Assert.Equal(
                choice.GetProperty("message").GetProperty("content").GetString(),
                string.Concat(parts.Select(part => part.GetProperty("delta").TryGetProperty("content", out JsonElement text) ? text.GetString() : "")));
            Assert.Equal(choice.GetProperty("finish_reason").GetString(), parts[^1].GetProperty("finish_reason").GetString());
        }

        JsonElement usage = chunks[^1].GetProperty("usage");
        Assert.Equal(whole.GetProperty("usage").GetProperty("total_tokens").GetInt32(), usage.GetProperty("total_tokens").GetInt32());
        // Every byte of the rendered prompt is a token.
        Assert.Equal("<|user|>Tell me.<|assistant|>".Length, usage.GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task Logprobs_are_of_the_tokens_and_sorted()
    {
        JsonElement answer = await model.AskAsync(Chat, Message("\"temperature\":0,\"max_tokens\":12,\"ignore_eos\":true,\"logprobs\":true,\"top_logprobs\":5"));

        JsonElement[] tokens = [.. answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content").EnumerateArray()];
        Assert.Equal(12, tokens.Length);
        foreach (JsonElement token in tokens)
        {
            float[] top = [.. token.GetProperty("top_logprobs").EnumerateArray().Select(alternative => alternative.GetProperty("logprob").GetSingle())];
            Assert.Equal(5, top.Length);
            Assert.Equal(top.OrderDescending(), top);
            // Greedy takes the best.
            Assert.Equal(top[0], token.GetProperty("logprob").GetSingle());
            Assert.InRange(top.Sum(value => Math.Exp(value)), 0.001, 1.0001);
        }
    }

    [Fact]
    public async Task A_forced_token_is_the_text_with_its_bytes_and_a_stop_string_ends_it()
    {
        string body = $$"""{"prompt":"abc","max_tokens":8,"temperature":0,"ignore_eos":true,"logprobs":1,"logit_bias":{"{{TinyChatModel.TokenOf('z')}}":100} }""";
        JsonElement all = (await model.AskAsync(Completions, body)).GetProperty("choices")[0];
        JsonElement stopped = (await model.AskAsync(Completions, body[..^1] + ",\"stop\":[\"never\",\"zzz\"]}")).GetProperty("choices")[0];

        Assert.Equal("zzzzzzzz", all.GetProperty("text").GetString());
        Assert.Equal("length", all.GetProperty("finish_reason").GetString());
        Assert.Equal("""["z","z","z","z","z","z","z","z"]""", all.GetProperty("logprobs").GetProperty("tokens").GetRawText());
        Assert.Equal("[0,1,2,3,4,5,6,7]", all.GetProperty("logprobs").GetProperty("text_offset").GetRawText());
        Assert.Equal("", stopped.GetProperty("text").GetString());
        Assert.Equal("stop", stopped.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task Prompts_of_tokens_and_of_text_mean_the_same()
    {
        string ids = string.Join(',', "abc".Select(TinyChatModel.TokenOf));
        JsonElement answer = await model.AskAsync(Completions, $$"""{"prompt":[[{{ids}}],[{{ids}}]],"temperature":0,"max_tokens":20}""");
        JsonElement text = await model.AskAsync(Completions, """{"prompt":"abc","temperature":0,"max_tokens":20}""");

        string expected = text.GetProperty("choices")[0].GetProperty("text").GetString()!;
        Assert.Equal([expected, expected], answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()));
        Assert.Equal(6, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task OpenAIs_client_streams_many_at_once()
    {
        var client = new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(model.Client.BaseAddress!, "/v1") });
        ChatClient chat = client.GetChatClient("tiny-chat");
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async i =>
        {
            ChatFinishReason? finish = null;
            int? tokens = null;
            await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync(
                [new UserChatMessage($"number {i}")], new ChatCompletionOptions { MaxOutputTokenCount = 20, Temperature = 1 }))
            {
                finish = update.FinishReason ?? finish;
                tokens = update.Usage?.OutputTokenCount ?? tokens;
            }

            Assert.NotNull(finish);
            Assert.InRange(tokens ?? 0, 1, 20);
        }));

        await model.AssertAllFreeAsync();
    }

    public static TheoryData<string, string, int, string> HostileBodies => new()
    {
        { Chat, "{", 400, "JSON" },
        { Chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}", 400, "surrogate" },
        { Chat, "{\"messages\":" + new string('[', 100_000), 400, "64" },
        { Chat, Message("\"model\":\"other\""), 404, "tiny-chat" },
        { Chat, Message("\"max_tokens\":-1"), 400, "at least 1" },
        { Chat, Message("\"temperature\":1e400"), 400, "between 0 and 2" },
        { Chat, Message("\"n\":1e9"), 400, "128" },
        { Chat, Message("\"logit_bias\":{\"384\":1}"), 400, "383" },
        { Chat, Message("\"stop_token_ids\":[100000]"), 400, "100000" },
        { Chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"" + new string('x', 5000) + "\"}]}", 400, "1,024" },
        { Chat, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"me first\"}]}", 400, "an assistant cannot begin" },
        { Completions, "{\"prompt\":[384]}", 400, "383" },
        { Completions, "{\"prompt\":[" + string.Join(',', Enumerable.Repeat("5", 1024)) + "]}", 400, "1,024" },
        { Completions, "{\"prompt\":[\"ok\",\"" + new string('x', 2000) + "\"],\"max_tokens\":500}", 400, "1,024" },
        { Completions, "{\"prompt\":\"\"}", 400, "no tokens" },
        { Completions, "{\"prompt\":\"a\",\"stream\":true,\"top_p\":-1}", 400, "top_p" },
    };

    [Theory]
    [MemberData(nameof(HostileBodies))]
    public async Task Hostile_bodies_get_an_error_and_hold_nothing(string path, string body, int status, string words)
    {
        using HttpResponseMessage response = await model.PostAsync(path, Encoding.UTF8.GetBytes(body));
        string answer = await response.Content.ReadAsStringAsync();

        Assert.True((int)response.StatusCode == status, answer);
        JsonElement error = JsonDocument.Parse(answer).RootElement.GetProperty("error");
        Assert.Contains(words, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        await model.AssertAllFreeAsync();
        JsonElement after = await model.AskAsync(Completions, """{"prompt":"a","max_tokens":1}""");
        Assert.Equal(1, after.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task A_body_over_the_limit_is_refused()
    {
        using HttpResponseMessage response = await model.PostAsync(Chat, new byte[9 << 20]);

        Assert.Equal(413, (int)response.StatusCode);
        await model.AssertAllFreeAsync();
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_says_so_by_OpenAIs_code()
    {
        using HttpResponseMessage response = await model.PostAsync(Completions, Encoding.UTF8.GetBytes("{\"prompt\":\"" + new string('x', 3000) + "\"}"));

        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
        Assert.Equal("context_length_exceeded", error.GetProperty("code").GetString());
        Assert.Equal("prompt", error.GetProperty("param").GetString());
        Assert.Contains("3,000", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_frees_its_blocks(bool stream)
    {
        string body = Message($"\"n\":32,\"ignore_eos\":true,\"stream\":{(stream ? "true" : "false")}");
        await Eventually.BeTrueAsync(() => LeaveWhileItRunsAsync(body));

        await model.AssertAllFreeAsync();
    }

    /// <summary>Asks, and hangs up once the answer is being generated.</summary>
    /// <returns>False when the answer was there before anybody could see it run.</returns>
    private async Task<bool> LeaveWhileItRunsAsync(string body)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", model.Client.BaseAddress!.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST {Chat} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        bool runs = false;
        await Eventually.BeTrueAsync(async () =>
        {
            runs = (await model.HealthAsync()).GetProperty("running").GetInt32() > 0;
            return runs || client.Available > 0;
        });
        return runs;
    }
}
