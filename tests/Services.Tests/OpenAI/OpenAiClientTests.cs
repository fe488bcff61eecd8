using System.ClientModel;
using global::OpenAI;
using global::OpenAI.Chat;
using global::OpenAI.Models;

namespace Fastgen.Services.Tests.OpenAI;

/// <summary>OpenAI's own .NET client as the judge of the format.</summary>
public sealed class OpenAiClientTests(ApiServer server) : IClassFixture<ApiServer>
{
    private OpenAIClient Client => new(
        new ApiKeyCredential("none"),
        new OpenAIClientOptions { Endpoint = new Uri(server.Address, "/v1"), RetryPolicy = new System.ClientModel.Primitives.ClientRetryPolicy(0) });

    private ChatClient Chat => Client.GetChatClient(EchoGenerationService.Model);

    [Fact]
    public async Task Chat_with_logprobs_and_usage()
    {
        ChatCompletion completion = await Chat.CompleteChatAsync(
            [new SystemChatMessage("echo"), new UserChatMessage("one two")],
            new ChatCompletionOptions { IncludeLogProbabilities = true, TopLogProbabilityCount = 2, MaxOutputTokenCount = 50, Temperature = 0.5f });

        Assert.Equal("one two", completion.Content[0].Text);
        Assert.Equal(ChatFinishReason.Stop, completion.FinishReason);
        Assert.Equal(ChatMessageRole.Assistant, completion.Role);
        Assert.Equal(4, completion.Usage.TotalTokenCount);
        Assert.Equal(["one", " two"], completion.ContentTokenLogProbabilities.Select(token => token.Token));
        Assert.Equal(2, completion.ContentTokenLogProbabilities[0].TopLogProbabilities.Count);
        Assert.Equal(50, server.Service.Requests.Last().Sampling.MaxTokens);
    }

    [Fact]
    public async Task Chat_streaming()
    {
        string text = "";
        ChatFinishReason? finish = null;
        int? total = null;
        await foreach (StreamingChatCompletionUpdate update in Chat.CompleteChatStreamingAsync([new UserChatMessage("one two three")]))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            finish = update.FinishReason ?? finish;
            total = update.Usage?.TotalTokenCount ?? total;
        }

        Assert.Equal("one two three", text);
        Assert.Equal(ChatFinishReason.Stop, finish);
        Assert.Equal(6, total);
    }

    [Fact]
    public async Task Errors_reach_the_client_with_status_and_message()
    {
        ClientResultException e = await Assert.ThrowsAsync<ClientResultException>(async () => await Chat.CompleteChatAsync([new UserChatMessage("too long")]));

        Assert.Equal(400, e.Status);
        Assert.Contains("9,412 tokens", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models()
    {
        OpenAIModelCollection models = await Client.GetOpenAIModelClient().GetModelsAsync();

        Assert.Equal([EchoGenerationService.Model], models.Select(model => model.Id));
    }
}
