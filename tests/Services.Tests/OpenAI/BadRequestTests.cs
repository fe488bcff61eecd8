using System.Text;
using System.Text.Json;

namespace Fastgen.Services.Tests.OpenAI;

public sealed class BadRequestTests(ApiServer server) : IClassFixture<ApiServer>
{
    private const string Chat = "/v1/chat/completions";
    private const string Completions = "/v1/completions";
    private const string Messages = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";

    /// <summary>Body, field at fault, and words that the message must have: the value, the limit, the remedy.</summary>
    public static TheoryData<string, string?, string> ChatBodies => new()
    {
        { "", null, "not valid JSON" },
        { "{", null, "line 1, byte 2" },
        { "{\n  \"model\": nonsense}", null, "line 2, byte 13" },
        { "{} {}", null, "not valid JSON" },
        { "[]", null, "must be an object" },
        { "\"text\"", null, "must be an object" },
        { "NaN", null, "not valid JSON" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}", null, "surrogate" },
        { "{\"\\udc00\":1}", null, "surrogate" },
        { "{}", "messages", "missing" },
        { "{\"messages\":null}", "messages", "missing" },
        { "{\"messages\":[]}", "messages", "empty" },
        { "{\"messages\":\"hi\"}", "messages", "\"hi\"" },
        { "{\"messages\":[7]}", "messages[0]", "7" },
        { "{\"messages\":[{\"role\":\"user\"}]}", "messages[0].content", "missing" },
        { "{\"messages\":[{\"role\":\"assistant\",\"content\":null}]}", "messages[0].content", "missing" },
        { "{\"messages\":[{\"content\":\"hi\"}]}", "messages[0].role", "missing" },
        { "{\"messages\":[{\"role\":\"wizard\",\"content\":\"hi\"}]}", "messages[0].role", "wizard" },
        { "{\"messages\":[{\"role\":5,\"content\":\"hi\"}]}", "messages[0].role", "a string" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":{}}]}", "messages[0].content", "an object" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[]}]}", "messages[0].content", "empty" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[\"hi\"]}]}", "messages[0].content[0]", "\"hi\"" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", "messages[0].content[0].type", "image_url" },
        { "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}", "messages[0].content[0].text", "missing" },
        { "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{}]}]}", "messages[0].tool_calls[0].function", "missing" },
        { "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":3}}]}]}", "messages[0].tool_calls[0].function.arguments", "3" },
        { With("\"model\":7"), "model", "a string" },
        { With("\"model\":\"\""), "model", "empty" },
        { With("\"temperature\":-0.1"), "temperature", "between 0 and 2" },
        { With("\"temperature\":2.5"), "temperature", "2.5" },
        { With("\"temperature\":1e999"), "temperature", "between 0 and 2" },
        { With("\"temperature\":\"hot\""), "temperature", "\"hot\"" },
        { With("\"top_p\":1.01"), "top_p", "between 0 and 1" },
        { With("\"top_k\":-2"), "top_k", "at least -1" },
        { With("\"min_p\":-1"), "min_p", "between 0 and 1" },
        { With("\"presence_penalty\":2.1"), "presence_penalty", "between -2 and 2" },
        { With("\"frequency_penalty\":-2.1"), "frequency_penalty", "between -2 and 2" },
        { With("\"repetition_penalty\":0"), "repetition_penalty", "above 0" },
        { With("\"max_tokens\":0"), "max_tokens", "at least 1" },
        { With("\"max_tokens\":-5"), "max_tokens", "-5" },
        { With("\"max_tokens\":1e30"), "max_tokens", "at most 2,147,483,647" },
        { With("\"max_tokens\":99999999999999999999999999"), "max_tokens", "at most 2,147,483,647" },
        { With("\"max_tokens\":2.5"), "max_tokens", "an integer" },
        { With("\"max_completion_tokens\":true"), "max_completion_tokens", "true" },
        { With("\"min_tokens\":9,\"max_tokens\":8"), "min_tokens", "8" },
        { With("\"n\":0"), "n", "between 1 and 128" },
        { With("\"n\":129"), "n", "129" },
        { With("\"seed\":1.5"), "seed", "1.5" },
        { With("\"seed\":99999999999999999999999"), "seed", "64 bits" },
        { With("\"stop\":\"\""), "stop", "empty" },
        { With("\"stop\":5"), "stop", "a string" },
        { With("\"stop\":[5]"), "stop[0]", "5" },
        { With("\"stop\":[" + string.Join(',', Enumerable.Repeat("\"a\"", 17)) + "]"), "stop", "17" },
        { With("\"stop\":\"" + new string('x', 1001) + "\""), "stop", "1001" },
        { With("\"stop_token_ids\":[-1]"), "stop_token_ids[0]", "-1" },
        { With("\"logit_bias\":{\"hello\":1}"), "logit_bias", "hello" },
        { With("\"logit_bias\":{\"-4\":1}"), "logit_bias", "-4" },
        { With("\"logit_bias\":{\"4\":101}"), "logit_bias.4", "between -100 and 100" },
        { With("\"logit_bias\":[1]"), "logit_bias", "an object" },
        { With("\"logprobs\":3"), "logprobs", "true or false" },
        { With("\"top_logprobs\":3"), "top_logprobs", "'logprobs' is not true" },
        { With("\"logprobs\":true,\"top_logprobs\":21"), "top_logprobs", "between 0 and 20" },
        { With("\"stream\":\"yes\""), "stream", "\"yes\"" },
        { With("\"stream_options\":{\"include_usage\":true}"), "stream_options", "'stream' is not true" },
        { With("\"stream\":true,\"stream_options\":{\"include_usage\":1}"), "stream_options.include_usage", "true or false" },
        { With("\"user\":[]"), "user", "a string" },
        { With("\"ignore_eos\":\"no\""), "ignore_eos", "true or false" },
        { With("\"chat_template_kwargs\":[]"), "chat_template_kwargs", "an object" },
        { With("\"tools\":{}"), "tools", "an array" },
        { With("\"tools\":[{\"type\":\"retrieval\"}]"), "tools[0].type", "function" },
        { With("\"tools\":[{\"type\":\"function\",\"function\":{}}]"), "tools[0].function.name", "missing" },
        { With("\"tool_choice\":\"required\""), "tool_choice", "not supported" },
        { With("\"functions\":[{\"name\":\"f\"}]"), "functions", "tools" },
        { With("\"response_format\":{\"type\":\"json_object\"}"), "response_format.type", "json_object" },
        { With("\"response_format\":\"json\""), "response_format", "an object" },
        { With("\"guided_regex\":\"a+\""), "guided_regex", "not supported" },
        { With("\"skip_special_tokens\":false"), "skip_special_tokens", "not supported" },
        { With("\"include_stop_str_in_output\":true"), "include_stop_str_in_output", "not supported" },
        { With("\"modalities\":[\"audio\"]"), "modalities", "only [\"text\"]" },
    };

    public static TheoryData<string, string, string> CompletionBodies => new()
    {
        { "{}", "prompt", "missing" },
        { "{\"prompt\":5}", "prompt", "5" },
        { "{\"prompt\":{}}", "prompt", "an object" },
        { "{\"prompt\":[]}", "prompt", "empty" },
        { "{\"prompt\":[[]]}", "prompt[0]", "no tokens" },
        { "{\"prompt\":[\"a\",5]}", "prompt[1]", "5" },
        { "{\"prompt\":[\"a\",[5]]}", "prompt[1]", "an array" },
        { "{\"prompt\":[5,\"a\"]}", "prompt[1]", "\"a\"" },
        { "{\"prompt\":[5,-6]}", "prompt[1]", "-6" },
        { "{\"prompt\":[5,2147483648]}", "prompt[1]", "2147483648" },
        { "{\"prompt\":[[5],[6.5]]}", "prompt[1][0]", "6.5" },
        { "{\"prompt\":[true]}", "prompt[0]", "true" },
        { "{\"prompt\":\"a\",\"logprobs\":6}", "logprobs", "between 0 and 5" },
        { "{\"prompt\":\"a\",\"logprobs\":true}", "logprobs", "true" },
        { "{\"prompt\":\"a\",\"best_of\":3}", "best_of", "3" },
        { "{\"prompt\":\"a\",\"suffix\":\"end\"}", "suffix", "not supported" },
        { "{\"prompt\":\"a\",\"echo\":true,\"logprobs\":1}", "echo", "logprobs" },
        { "{\"prompt\":[1],\"echo\":true}", "echo", "token ids" },
        { "{\"prompt\":[" + string.Join(',', Enumerable.Repeat("\"a\"", 1025)) + "]}", "prompt", "1,025" },
        { "{\"prompt\":[" + string.Join(',', Enumerable.Repeat("\"a\"", 1000)) + "],\"n\":2}", "n", "2000" },
    };

    private static string With(string field) => "{" + Messages + "," + field + "}";

    [Theory]
    [MemberData(nameof(ChatBodies))]
    public Task Chat_refuses(string body, string? parameter, string words) => RefusesAsync(Chat, body, parameter, words);

    [Theory]
    [MemberData(nameof(CompletionBodies))]
    public Task Completion_refuses(string body, string parameter, string words) => RefusesAsync(Completions, body, parameter, words);

    [Fact]
    public async Task Invalid_UTF8_is_refused_with_its_place()
    {
        byte[] body = Encoding.UTF8.GetBytes("{" + Messages + "}");
        int place = Array.IndexOf(body, (byte)'h');
        body[place] = 0xFF;
        using HttpResponseMessage response = await server.PostAsync(Chat, body);

        JsonElement error = await ApiServer.ErrorAsync(response, 400);
        Assert.Contains($"byte 0xFF at offset {place}", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_model_is_404()
    {
        using HttpResponseMessage response = await server.PostAsync(Chat, With("\"model\":\"gpt-17\""));

        JsonElement error = await ApiServer.ErrorAsync(response, 404);
        Assert.Equal("model_not_found", error.GetProperty("code").GetString());
        Assert.Contains("gpt-17", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Depth_beyond_the_limit_is_refused()
    {
        string deep = new string('[', 2_000_000) + new string(']', 2_000_000);
        await RefusesAsync(Chat, "{\"x\":" + deep + "}", null, "64");
        await RefusesAsync(Chat, With("\"x\":" + deep), null, "64");
    }

    [Fact]
    public async Task Too_many_messages_are_refused()
    {
        string many = string.Join(',', Enumerable.Repeat("{\"role\":\"user\",\"content\":\"a\"}", 4097));
        await RefusesAsync(Chat, "{\"messages\":[" + many + "]}", "messages", "4,096");
    }

    [Theory]
    [InlineData("\"x\":[", "0", "]")]
    [InlineData("\"messages\":[", "7", "]")]
    [InlineData("\"stop\":[", "\"a\"", "]")]
    [InlineData("\"stop_token_ids\":[", "1", "]")]
    [InlineData("\"tools\":[", "{}", "]")]
    [InlineData("\"logit_bias\":{", "\"1\":0", "}")]
    [InlineData("\"response_format\":{", "\"type\":0", "}")]
    [InlineData("\"y\":1,", "\"\":0", "")]
    [InlineData("\"x\":\"", "\\ud83d\\ude42", "\"")]
    public async Task Bodies_made_of_millions_of_parts_are_answered_in_time(string open, string part, string close)
    {
        int count = 7_000_000 / (part.Length + 1);
        string separator = close == "\"" ? "" : ",";
        string body = "{" + open + string.Join(separator, Enumerable.Repeat(part, count)) + close + "}";
        Task<HttpResponseMessage> asked = server.PostAsync(Chat, body);

        Assert.Same(asked, await Task.WhenAny(asked, Task.Delay(Eventually.Limit)));
        using HttpResponseMessage response = await asked;
        await ApiServer.ErrorAsync(response, 400);
    }

    [Fact]
    public async Task A_long_prompt_of_tokens_is_read_in_time()
    {
        string tokens = string.Join(',', Enumerable.Repeat("1", 3_000_000));
        Task<HttpResponseMessage> asked = server.PostAsync(Completions, "{\"prompt\":[" + tokens + "],\"max_tokens\":1}");

        Assert.Same(asked, await Task.WhenAny(asked, Task.Delay(Eventually.Limit)));
        using HttpResponseMessage response = await asked;
        Assert.Equal(200, (int)response.StatusCode);
    }

    private async Task RefusesAsync(string path, string body, string? parameter, string words)
    {
        int before = server.Service.Requests.Count;
        using HttpResponseMessage response = await server.PostAsync(path, body);

        JsonElement error = await ApiServer.ErrorAsync(response, 400);
        Assert.Contains(words, error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(parameter, error.GetProperty("param").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.Equal(before, server.Service.Requests.Count);
    }
}
