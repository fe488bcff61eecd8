using System.Text.Json;
using Fastgen.Contracts;

namespace Fastgen.Services.Tests.OpenAI;

public sealed class CompletionTests(ApiServer server) : IClassFixture<ApiServer>
{
    private const string Path = "/v1/completions";

    private GenerationRequest LastRequest => server.Service.Requests.Last();

    [Theory]
    [InlineData("/v1/completions")]
    [InlineData("/completions")]
    public async Task Whole_answer_has_every_field_of_OpenAI(string path)
    {
        JsonElement answer = await server.AskAsync(path, """{"model":"acme/echo","prompt":"one two"}""");

        Assert.StartsWith("cmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal("text_completion", answer.GetProperty("object").GetString());
        Assert.Equal("""[{"index":0,"text":"one two","logprobs":null,"finish_reason":"stop"}]""", answer.GetProperty("choices").GetRawText());
        Assert.Equal("""{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4,"prompt_tokens_details":{"cached_tokens":1}}""", answer.GetProperty("usage").GetRawText());
    }

    [Fact]
    public async Task Sixteen_tokens_are_the_default_as_OpenAI_has_it()
    {
        await server.AskAsync(Path, """{"prompt":"a"}""");
        Assert.Equal(16, LastRequest.Sampling.MaxTokens);

        await server.AskAsync(Path, """{"prompt":"a","min_tokens":20}""");
        Assert.Equal(20, LastRequest.Sampling.MaxTokens);
    }

    [Fact]
    public async Task Stream_carries_text()
    {
        List<JsonElement> chunks = await server.StreamAsync(Path, """{"prompt":"a b","stream":true,"stream_options":{"include_usage":true}}""");

        Assert.Equal(
            [
                """[{"index":0,"text":"a","logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"text":" b","logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}]""",
                "[]",
            ],
            chunks.Select(chunk => chunk.GetProperty("choices").GetRawText()));
        Assert.Equal(4, chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Theory]
    [InlineData("""["a b","c"]""", "a b", "c")]
    [InlineData("""[[1,2],[3]]""", "1 2", "3")]
    public async Task Several_prompts_times_n_are_numbered_prompt_by_prompt(string prompt, string first, string second)
    {
        JsonElement answer = await server.AskAsync(Path, $$"""{"prompt":{{prompt}},"n":2}""");
        List<JsonElement> chunks = await server.StreamAsync(Path, $$"""{"prompt":{{prompt}},"n":2,"stream":true,"stream_options":{"include_usage":true} }""");

        string[] expected = [first, first, second, second];
        Assert.Equal(expected, answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()));
        Assert.Equal(expected, Enumerable.Range(0, 4).Select(index => string.Concat(chunks.SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray())
            .Where(choice => choice.GetProperty("index").GetInt32() == index).Select(choice => choice.GetProperty("text").GetString()))));
        const string Usage = """{"prompt_tokens":3,"completion_tokens":6,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":2}}""";
        Assert.Equal(Usage, answer.GetProperty("usage").GetRawText());
        Assert.Equal(Usage, chunks[^1].GetProperty("usage").GetRawText());
    }

    [Fact]
    public async Task A_flat_array_of_numbers_is_one_prompt_of_tokens()
    {
        await server.AskAsync(Path, """{"prompt":[5,0,2147483647]}""");

        Assert.Equal([5, 0, int.MaxValue], LastRequest.PromptTokens!);
        Assert.Null(LastRequest.PromptText);
    }

    [Fact]
    public async Task One_bad_prompt_of_many_fails_the_request_and_frees_the_others()
    {
        using HttpResponseMessage response = await server.PostAsync(Path, """{"prompt":["slow","slow","too long"],"stream":true}""");

        JsonElement error = await ApiServer.ErrorAsync(response, 400);
        Assert.Equal("context_length_exceeded", error.GetProperty("code").GetString());
        Assert.Equal(0, server.Service.Active);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Legacy_logprobs_are_parallel_arrays(bool stream)
    {
        string body = $$"""{"prompt":"🙂 half never","logprobs":2,"stream":{{(stream ? "true" : "false")}}}""";
        JsonElement[] parts = stream
            ? [.. (await server.StreamAsync(Path, body)).Select(chunk => chunk.GetProperty("choices")[0].GetProperty("logprobs")).Where(value => value.ValueKind == JsonValueKind.Object)]
            : [(await server.AskAsync(Path, body)).GetProperty("choices")[0].GetProperty("logprobs")];

        Assert.Equal(["🙂", @"bytes:\xe2\x82", " never"], All("tokens").Select(value => value.GetString()));
        Assert.Equal([-0.5f, -0.5f, -9999f], All("token_logprobs").Select(value => value.GetSingle()));
        // Offsets count characters as Python does: the smiling face is one.
        Assert.Equal([0, 1, 2], All("text_offset").Select(value => value.GetInt32()));
        Assert.Equal(
            ["""{"🙂":-0.5,"alt1":-1.5}""", """{"bytes:\\xe2\\x82":-0.5,"alt1":-1.5}""", """{" never":-0.5,"alt1":-1.5}"""],
            All("top_logprobs").Select(value => value.GetRawText()));

        IEnumerable<JsonElement> All(string name) => parts.SelectMany(part => part.GetProperty(name).EnumerateArray());
    }

    [Fact]
    public async Task Logprobs_zero_still_has_the_chosen_token()
    {
        JsonElement answer = await server.AskAsync(Path, """{"prompt":"a","logprobs":0}""");

        Assert.Equal("""[{"a":-0.5}]""", answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("top_logprobs").GetRawText());
    }

    [Fact]
    public async Task Echo_puts_the_prompt_before_each_choice()
    {
        JsonElement answer = await server.AskAsync(Path, """{"prompt":["a","b \"c\""],"n":2,"echo":true,"best_of":2,"suffix":null}""");
        List<JsonElement> chunks = await server.StreamAsync(Path, """{"prompt":"b \"c\"","echo":true,"stream":true}""");

        Assert.Equal(["aa", "aa", "b \"c\"b \"c\"", "b \"c\"b \"c\""], answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()));
        Assert.Equal("b \"c\"b \"c\"", string.Concat(chunks.Select(chunk => chunk.GetProperty("choices")[0].GetProperty("text").GetString())));
    }
}
