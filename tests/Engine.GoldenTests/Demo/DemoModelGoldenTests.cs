using System.Text.Json;
using Fastgen.Engine.GoldenTests.Models;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.GoldenTests.Demo;

/// <summary>The demo model against models/demo/golden.json: what transformers makes of the same folder in float32.</summary>
public sealed class DemoModelGoldenTests
{
    private static readonly string Folder = Path.Combine(GoldenFolder.RepositoryRoot, "models", "demo");

    [Fact]
    public async Task ConversationsGiveTheReferencePromptsTokensAndLogprobs()
    {
        using JsonDocument golden = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(Folder, "golden.json"), TestContext.Current.CancellationToken));
        int maxTokens = golden.RootElement.GetProperty("max_tokens").GetInt32();
        JsonElement[] cases = [.. golden.RootElement.GetProperty("cases").EnumerateArray()];
        Assert.Equal(8, cases.Length);
        await using LlmEngine engine = await LlmEngine.LoadAsync(Folder, cancellationToken: TestContext.Current.CancellationToken);
        EngineRequest[] requests = [.. cases.Select(c => new EngineRequest
        {
            Messages = c.GetProperty("messages"),
            Sampling = new SamplingParameters { Temperature = 0f, MaxTokens = maxTokens, Logprobs = 1 },
        })];

        for (int i = 0; i < cases.Length; i++)
        {
            Assert.Equal(Integers(cases[i], "prompt_ids"), engine.EncodePrompt(requests[i]));
        }

        int seen = 0;
        await foreach (Completion completion in engine.GenerateAsync(requests, TestContext.Current.CancellationToken))
        {
            JsonElement expected = cases[completion.RequestIndex];
            CompletionChoice choice = Assert.Single(completion.Choices);
            string label = expected.GetProperty("text").GetString()!;
            Assert.Equal(label, choice.Text);
            int[] tokens = Integers(expected, "tokens");
            bool stops = expected.GetProperty("finish_reason").GetString() == "stop";
            Assert.Equal(stops ? EngineFinishReason.Stop : EngineFinishReason.Length, choice.FinishReason);
            // The engine may leave the EOS token out of what it hands over.
            Assert.InRange(choice.TokenIds.Count, stops ? tokens.Length - 1 : tokens.Length, tokens.Length);
            Assert.Equal(tokens[..choice.TokenIds.Count], choice.TokenIds);
            JsonElement[] logprobs = [.. expected.GetProperty("logprobs").EnumerateArray()];
            Assert.NotNull(choice.Logprobs);
            for (int t = 0; t < choice.Logprobs.Count; t++)
            {
                double difference = Math.Abs(choice.Logprobs[t].Logprob - logprobs[t].GetDouble());
                Assert.True(difference <= 1e-3, $"'{label}', token {t}: log-probability {choice.Logprobs[t].Logprob} differs from the reference {logprobs[t].GetDouble()} by {difference}.");
            }

            seen++;
        }

        Assert.Equal(cases.Length, seen);
    }

    private static int[] Integers(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];
}
