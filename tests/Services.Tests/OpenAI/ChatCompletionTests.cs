using System.Text.Json;
using Fastgen.Contracts;

namespace Fastgen.Services.Tests.OpenAI;

public sealed class ChatCompletionTests(ApiServer server) : IClassFixture<ApiServer>
{
    private const string Path = "/v1/chat/completions";

    private static string Body(string content, string more = "") =>
        $$"""{"model":"acme/echo","messages":[{"role":"user","content":{{JsonSerializer.Serialize(content)}}}]{{more}}}""";

    private GenerationRequest LastRequest => server.Service.Requests.Last();

    [Theory]
    [InlineData("/v1/chat/completions")]
    [InlineData("/chat/completions")]
    public async Task Whole_answer_has_every_field_of_OpenAI(string path)
    {
        long before = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        JsonElement answer = await server.AskAsync(path, Body("one two \"three\"\n\\ 日本 🙂"));

        Assert.Equal(["id", "object", "created", "model", "choices", "usage"], answer.EnumerateObject().Select(field => field.Name));
        Assert.StartsWith("chatcmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.InRange(answer.GetProperty("created").GetInt64(), before, before + 60);
        Assert.Equal(
            """[{"index":0,"message":{"role":"assistant","content":"one two \"three\"\n\\ 日本 🙂","refusal":null},"logprobs":null,"finish_reason":"stop"}]""",
            answer.GetProperty("choices").GetRawText());
        Assert.Equal(
            """{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":1}}""",
            answer.GetProperty("usage").GetRawText());
        Assert.Equal("acme/echo", answer.GetProperty("model").GetString());
    }

    [Fact]
    public async Task Stream_begins_with_the_role_and_ends_with_the_reason()
    {
        List<JsonElement> chunks = await server.StreamAsync(Path, Body("a \"b\"\u0001\t 日本 🙂", ""","stream":true"""));

        Assert.Equal(
            [
                """[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"delta":{"content":"a"},"logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"delta":{"content":" \"b\"\u0001\t"},"logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"delta":{"content":" 日本"},"logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"delta":{"content":" 🙂"},"logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]""",
            ],
            chunks.Select(chunk => chunk.GetProperty("choices").GetRawText()));
        Assert.Single(chunks.Select(chunk => chunk.GetProperty("id").GetString()).Distinct());
        Assert.All(chunks, chunk => Assert.Equal("chat.completion.chunk", chunk.GetProperty("object").GetString()));
        Assert.All(chunks, chunk => Assert.False(chunk.TryGetProperty("usage", out _)));
    }

    [Fact]
    public async Task Usage_comes_in_a_chunk_of_its_own_when_asked_for()
    {
        List<JsonElement> chunks = await server.StreamAsync(Path, Body("a b c", ""","stream":true,"stream_options":{"include_usage":true}"""));

        Assert.All(chunks.SkipLast(1), chunk => Assert.Equal(JsonValueKind.Null, chunk.GetProperty("usage").ValueKind));
        Assert.Equal("[]", chunks[^1].GetProperty("choices").GetRawText());
        Assert.Equal(
            """{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6,"prompt_tokens_details":{"cached_tokens":1}}""",
            chunks[^1].GetProperty("usage").GetRawText());
    }

    [Fact]
    public async Task Several_choices_are_told_apart()
    {
        JsonElement answer = await server.AskAsync(Path, Body("x y", ""","n":3"""));
        List<JsonElement> chunks = await server.StreamAsync(Path, Body("x y", ""","n":3,"stream":true"""));

        JsonElement[] choices = [.. answer.GetProperty("choices").EnumerateArray()];
        Assert.Equal([0, 1, 2], choices.Select(choice => choice.GetProperty("index").GetInt32()));
        Assert.All(choices, choice => Assert.Equal("x y", choice.GetProperty("message").GetProperty("content").GetString()));
        Assert.Equal(6, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        for (int choice = 0; choice < 3; choice++)
        {
            IEnumerable<JsonElement> own = chunks.Select(chunk => chunk.GetProperty("choices")[0]).Where(c => c.GetProperty("index").GetInt32() == choice);
            Assert.Equal("x y", string.Concat(own.Select(c => c.GetProperty("delta").TryGetProperty("content", out JsonElement text) ? text.GetString() : "")));
            Assert.Equal("stop", own.Last().GetProperty("finish_reason").GetString());
        }
    }

    [Fact]
    public async Task The_token_limit_gives_length()
    {
        JsonElement answer = await server.AskAsync(Path, Body("a b c", ""","max_tokens":3000,"max_completion_tokens":2"""));

        Assert.Equal("length", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal("a b", answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(2, LastRequest.Sampling.MaxTokens);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Logprobs_have_text_bytes_and_alternatives(bool stream)
    {
        string body = Body("é never", $$""","logprobs":true,"top_logprobs":2,"stream":{{(stream ? "true" : "false")}}""");
        string logprobs = stream
            ? string.Join(',', (await server.StreamAsync(Path, body)).Select(chunk => chunk.GetProperty("choices")[0].GetProperty("logprobs"))
                .Where(value => value.ValueKind == JsonValueKind.Object).Select(value => value.GetProperty("content")[0].GetRawText()))
            : (await server.AskAsync(Path, body)).GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content").GetRawText()[1..^1];

        Assert.Equal(
            """{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[{"token":"é","logprob":-0.5,"bytes":[195,169]},{"token":"alt1","logprob":-1.5,"bytes":[97,108,116,49]}]},"""
            + """{"token":" never","logprob":-9999,"bytes":[32,110,101,118,101,114],"top_logprobs":[{"token":" never","logprob":-0.5,"bytes":[32,110,101,118,101,114]},{"token":"alt1","logprob":-1.5,"bytes":[97,108,116,49]}]}""",
            logprobs);
    }

    [Fact]
    public async Task Every_sampling_field_arrives()
    {
        await server.AskAsync(Path, Body("a", """
            ,"temperature":0.25,"top_p":0.5,"top_k":7,"min_p":0.125,"seed":-3,"presence_penalty":-1.5,"frequency_penalty":2,
            "repetition_penalty":1.5,"logit_bias":{"42":-100,"7":0.5},"stop":["x","yz"],"stop_token_ids":[5,6],"max_tokens":9.0,
            "min_tokens":4,"ignore_eos":true,"user":"me","an_unknown_field":{"a":[1]}
            """));

        GenerationSampling sampling = LastRequest.Sampling;
        Assert.Equal(0.25f, sampling.Temperature);
        Assert.Equal(0.5f, sampling.TopP);
        Assert.Equal(7, sampling.TopK);
        Assert.Equal(0.125f, sampling.MinP);
        Assert.Equal(unchecked((ulong)-3L), sampling.Seed);
        Assert.Equal(-1.5f, sampling.PresencePenalty);
        Assert.Equal(2f, sampling.FrequencyPenalty);
        Assert.Equal(1.5f, sampling.RepetitionPenalty);
        Assert.Equal(new Dictionary<int, float> { [42] = -100, [7] = 0.5f }, sampling.LogitBias);
        Assert.Equal(["x", "yz"], sampling.Stop!);
        Assert.Equal([5, 6], sampling.StopTokenIds!);
        Assert.Equal(9, sampling.MaxTokens);
        Assert.Equal(4, sampling.MinTokens);
        Assert.True(sampling.IgnoreEos);
        Assert.Null(sampling.Logprobs);
    }

    [Fact]
    public async Task Fields_left_out_or_null_stay_open_for_the_models_defaults()
    {
        await server.AskAsync(Path, Body("a", ""","temperature":null,"stop":null,"logit_bias":{},"response_format":{"type":"text"},"tools":[],"functions":null"""));

        Assert.Equal(new GenerationSampling(), LastRequest.Sampling);
        Assert.Null(LastRequest.Tools);
        Assert.Null(LastRequest.TemplateArguments);
    }

    [Fact]
    public async Task Messages_reach_the_template_in_one_form()
    {
        await server.AskAsync(Path, """
            {"messages":[
              {"role":"developer","content":[{"type":"text","text":"be"},{"type":"text","text":"brief"}]},
              {"role":"user","content":"weather?","name":"ann"},
              {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get","arguments":"{\"city\":\"Köln\"}"}},
                {"id":"c2","type":"function","function":{"name":"bad","arguments":"{oops"}}]},
              {"role":"tool","tool_call_id":"c1","content":"12 C"}],
             "tools":[{"type":"function","function":{"name":"get","parameters":{"type":"object"}}}],
             "chat_template_kwargs":{"enable_thinking":false}}
            """);

        Assert.Equal(
            """[{"role":"system","content":"be\nbrief"},{"role":"user","content":"weather?","name":"ann"},"""
            + """{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get","arguments":{"city":"Köln"}}},"""
            + """{"id":"c2","type":"function","function":{"name":"bad","arguments":"{oops"}}]},"""
            + """{"role":"tool","content":"12 C","tool_call_id":"c1"}]""",
            LastRequest.Messages!.Value.GetRawText());
        Assert.Equal("""[{"type":"function","function":{"name":"get","parameters":{"type":"object"}}}]""", LastRequest.Tools!.Value.GetRawText());
        Assert.Equal("""{"enable_thinking":false}""", LastRequest.TemplateArguments!.Value.GetRawText());
    }

    [Fact]
    public async Task Fields_of_vLLM_for_the_template_join_its_arguments()
    {
        await server.AskAsync(Path, Body("a", ""","add_generation_prompt":false,"continue_final_message":true,"chat_template_kwargs":{"x":[1],"x":[2]}"""));

        Assert.Equal("""{"x":[1],"x":[2],"add_generation_prompt":false,"continue_final_message":true}""", LastRequest.TemplateArguments!.Value.GetRawText());
    }

    [Fact]
    public async Task Tools_are_hidden_when_tool_choice_is_none()
    {
        await server.AskAsync(Path, Body("a", ""","tools":[{"type":"function","function":{"name":"get"}}],"tool_choice":"none" """));

        Assert.Null(LastRequest.Tools);
    }

    [Fact]
    public async Task A_byte_order_mark_and_a_charset_are_accepted()
    {
        var content = new ByteArrayContent([0xEF, 0xBB, 0xBF, .. System.Text.Encoding.UTF8.GetBytes(Body("hello"))]);
        content.Headers.TryAddWithoutValidation("Content-Type", "application/json; charset=UTF-8");
        using HttpResponseMessage response = await server.Client.PostAsync(new Uri(Path, UriKind.Relative), content);

        Assert.Equal(200, (int)response.StatusCode);
    }

    [Fact]
    public async Task Request_id_and_processing_time_are_in_the_headers()
    {
        using HttpResponseMessage response = await server.PostAsync(Path, Body("hello"));
        JsonElement answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

        string requestId = Assert.Single(response.Headers.GetValues("x-request-id"));
        Assert.Equal("chatcmpl-" + requestId["req_".Length..], answer.GetProperty("id").GetString());
        Assert.True(long.Parse(Assert.Single(response.Headers.GetValues("openai-processing-ms")), System.Globalization.CultureInfo.InvariantCulture) >= 0);
    }
}
