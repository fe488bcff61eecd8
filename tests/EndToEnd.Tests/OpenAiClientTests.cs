using System.ClientModel;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using OpenAI.Chat;

namespace Fastgen.EndToEnd.Tests;

/// <summary>The OpenAI NuGet client against gateway, Redis, workers and the demo model.</summary>
public sealed class OpenAiClientTests(StackFixture shared) : IClassFixture<StackFixture>
{
    private readonly Stack _stack = shared.Stack;

    [Fact]
    public async Task A_chat_is_answered_whole_and_streamed_with_the_same_text_and_usage()
    {
        ChatClient chat = _stack.Chat();
        ChatMessage[] messages = [new UserChatMessage("What is 2 plus 3?")];
        var options = new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 64 };
        ChatCompletion whole = await chat.CompleteChatAsync(messages, options);
        var streamed = new StringBuilder();
        ChatTokenUsage? usage = null;
        ChatFinishReason? finish = null;
        int updates = 0;
        await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync(messages, options))
        {
            updates++;
            streamed.Append(string.Concat(update.ContentUpdate.Select(part => part.Text)));
            usage = update.Usage ?? usage;
            finish = update.FinishReason ?? finish;
        }

        Assert.Contains("5", whole.Content[0].Text, StringComparison.Ordinal);
        Assert.Equal(ChatFinishReason.Stop, whole.FinishReason);
        Assert.Equal(whole.Content[0].Text, streamed.ToString());
        Assert.Equal(ChatFinishReason.Stop, finish);
        // Role, text and usage at least; how many the text comes in is for the test of a long answer.
        Assert.True(updates >= 3, $"{updates} updates");
        Assert.Equal(whole.Usage.OutputTokenCount, usage!.OutputTokenCount);
        Assert.Equal(whole.Usage.InputTokenCount, usage.InputTokenCount);
        Assert.InRange(whole.Usage.OutputTokenCount, 2, 64);
    }

    [Fact]
    public async Task A_long_answer_comes_while_it_is_generated()
    {
        using var http = new HttpClient { BaseAddress = _stack.GatewayUrl };
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions")
        {
            Content = JsonContent.Create(new { model = "demo", stream = true, ignore_eos = true, max_tokens = 1500, messages = new[] { new { role = "user", content = "Hello" } } }),
        };
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        int events = 0;
        while (await reader.ReadLineAsync() is { } line)
        {
            events += line.StartsWith("data: {", StringComparison.Ordinal) ? 1 : 0;
        }

        // Fifty times a second, for a second or more; on a busy machine less often.
        Assert.True(events > 8, $"{events} events");
    }

    [Fact]
    public async Task Sixty_four_parallel_streams_give_what_each_gives_alone()
    {
        ChatClient chat = _stack.Chat();
        string[] questions = [.. Enumerable.Range(0, 64).Select(i => $"What is {i} plus {i % 9}?")];
        string[] together = await Task.WhenAll(questions.Select(question => AskAsync(chat, question)));
        for (int i = 0; i < questions.Length; i += 9)
        {
            Assert.Equal(await AskAsync(chat, questions[i]), together[i]);
        }

        Assert.All(together, text => Assert.NotEqual("", text));
        await _stack.AssertNothingIsHeldAsync();
    }

    [Fact]
    public async Task Length_stop_strings_choices_and_log_probabilities_reach_the_worker_and_come_back()
    {
        JsonNode answer = await PostAsync("""
            {"model":"demo","messages":[{"role":"user","content":"Hello!"}],"n":3,"seed":7,"temperature":1,"max_tokens":12,"logprobs":true,"top_logprobs":2}
            """);
        JsonArray choices = answer["choices"]!.AsArray();
        Assert.Equal([0, 1, 2], choices.Select(choice => (int)choice!["index"]!));
        foreach (JsonNode? choice in choices)
        {
            JsonArray tokens = choice!["logprobs"]!["content"]!.AsArray();
            Assert.InRange(tokens.Count, 1, 12);
            Assert.All(tokens, token => Assert.InRange((double)token!["logprob"]!, -100, 0));
            Assert.All(tokens, token => Assert.Equal(2, token!["top_logprobs"]!.AsArray().Count));
            Assert.Contains((string)choice["finish_reason"]!, (string[])["stop", "length"]);
        }

        Assert.Equal(choices.Sum(choice => choice!["logprobs"]!["content"]!.AsArray().Count), (int)answer["usage"]!["completion_tokens"]!);

        ChatCompletion unstopped = await _stack.Chat().CompleteChatAsync(
            [new UserChatMessage("Write a haiku about the sea.")], new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 60 });
        string text = unstopped.Content[0].Text;
        string stop = text.Substring(text.Length / 2, 3);
        var options = new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 60, StopSequences = { stop } };
        ChatCompletion stopped = await _stack.Chat().CompleteChatAsync([new UserChatMessage("Write a haiku about the sea.")], options);
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], stopped.Content[0].Text);
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
    }

    [Fact]
    public async Task A_seed_gives_the_same_text_again_whichever_worker_takes_it()
    {
        string[] texts = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            JsonNode answer = await PostAsync("""{"model":"demo","messages":[{"role":"user","content":"Tell me something."}],"seed":11,"temperature":1,"max_tokens":40}""");
            return (string)answer["choices"]![0]!["message"]!["content"]!;
        }));
        Assert.Single(texts.Distinct());
    }

    [Fact]
    public async Task What_a_caller_does_wrong_comes_back_as_the_error_of_the_worker_or_the_gateway()
    {
        ClientResultException unknown = await Assert.ThrowsAsync<ClientResultException>(
            () => _stack.Chat("no-such-model").CompleteChatAsync("Hello"));
        Assert.Equal(404, unknown.Status);
        Assert.Contains("'demo'", unknown.Message, StringComparison.Ordinal);

        string longText = string.Concat(Enumerable.Repeat("many words and more ", 3000));
        ClientResultException tooLong = await Assert.ThrowsAsync<ClientResultException>(() => _stack.Chat().CompleteChatAsync(longText));
        Assert.Equal(400, tooLong.Status);
        Assert.Contains("context_length_exceeded", tooLong.Message, StringComparison.Ordinal);

        // The model's vocabulary is known to the worker alone.
        using var http = new HttpClient { BaseAddress = _stack.GatewayUrl };
        using HttpResponseMessage wrongToken = await http.PostAsJsonAsync("v1/completions", new { model = "demo", prompt = new[] { 999_999 } });
        Assert.Equal(HttpStatusCode.BadRequest, wrongToken.StatusCode);
        JsonNode error = JsonNode.Parse(await wrongToken.Content.ReadAsStringAsync())!["error"]!;
        Assert.Contains("999999", (string)error["message"]!, StringComparison.Ordinal);
        Assert.Equal("prompt", (string)error["param"]!);
        await _stack.AssertNothingIsHeldAsync();
    }

    [Fact]
    public async Task A_client_that_goes_away_frees_what_it_held()
    {
        // So many long answers take far longer than a client needs to leave after the first words.
        const int Choices = 64;
        const int MaxTokens = 1900;
        await _stack.AssertNothingIsHeldAsync();
        long before = (await _stack.WorkersAsync()).Sum(worker => worker.GeneratedTokens);
        using var gone = new CancellationTokenSource();
        int updates = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            using var http = new HttpClient { BaseAddress = _stack.GatewayUrl };
            using var request = new HttpRequestMessage(HttpMethod.Post, "v1/chat/completions")
            {
                Content = JsonContent.Create(new { model = "demo", stream = true, ignore_eos = true, n = Choices, max_tokens = MaxTokens, messages = new[] { new { role = "user", content = "Hello" } } }),
            };
            using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, gone.Token);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(gone.Token));
            while (await reader.ReadLineAsync(gone.Token) is not null)
            {
                if (++updates == 20)
                {
                    await gone.CancelAsync();
                }
            }
        });
        var watch = Stopwatch.StartNew();
        await _stack.AssertNothingIsHeldAsync();
        long after = (await _stack.WorkersAsync()).Sum(worker => worker.GeneratedTokens);
        Assert.True(after - before < Choices * MaxTokens * 3 / 4, $"{after - before} tokens were generated for nobody in {watch.Elapsed}");
    }

    [Fact]
    public async Task The_gateway_routes_to_other_services_too()
    {
        using var http = new HttpClient { BaseAddress = _stack.GatewayUrl };
        JsonNode status = JsonNode.Parse(await http.GetStringAsync("workers/status"))!;
        Assert.Equal("demo", (string)status["Model"]!);
        var ids = new HashSet<string>();
        // In turn, as the cluster's policy says.
        for (int i = 0; i < 2; i++)
        {
            ids.Add((string)JsonNode.Parse(await http.GetStringAsync("workers/status"))!["Id"]!);
        }

        Assert.Equal(2, ids.Count);
    }

    private static async Task<string> AskAsync(ChatClient chat, string question)
    {
        var text = new StringBuilder();
        await foreach (StreamingChatCompletionUpdate update in chat.CompleteChatStreamingAsync(
            [new UserChatMessage(question)], new ChatCompletionOptions { Temperature = 0, MaxOutputTokenCount = 48 }))
        {
            text.Append(string.Concat(update.ContentUpdate.Select(part => part.Text)));
        }

        return text.ToString();
    }

    private async Task<JsonNode> PostAsync(string body)
    {
        using var http = new HttpClient { BaseAddress = _stack.GatewayUrl };
        using HttpResponseMessage response = await http.PostAsync("v1/chat/completions", new StringContent(body, Encoding.UTF8, "application/json"));
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }
}
