using System.Text;
using Fastgen.Engine;
using Fastgen.Engine.Sampling;

namespace Fastgen.Tools.FgBench.Serving;

/// <summary>The engine in this process.</summary>
internal sealed class EngineServeTarget(LlmEngine engine, ServeLoad load) : IServeTarget
{
    private EngineRequest[] _requests = [];

    public void Prepare(int requests, int maxTokens) => _requests = [.. Enumerable.Range(0, requests).Select(index => Request(index, maxTokens))];

    public async Task<ServeAnswer> StreamAsync(int index, int maxTokens, Action onPiece, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        int tokens = 0;
        await foreach (EngineDelta delta in engine.StreamAsync(_requests[index], cancellationToken))
        {
            if (delta.FinishReason == EngineFinishReason.Error)
            {
                throw new InvalidOperationException(delta.Error);
            }

            tokens += delta.TokenIds.Count;
            // As a server does: what is no text yet is not sent. A model without a tokenizer has none at all.
            if (delta.Text.Length > 0 || engine.Tokenizer is null)
            {
                onPiece();
            }

            text.Append(delta.Text);
        }

        return new ServeAnswer(text.ToString(), tokens);
    }

    public ValueTask DisposeAsync() => engine.DisposeAsync();

    private EngineRequest Request(int index, int maxTokens)
    {
        EngineRequest request = load.PromptTokens is null
            ? EngineRequest.Chat(("user", ServeLoad.Question(index)))
            : EngineRequest.FromTokens(load.Tokens(index));
        return request with { Sampling = new SamplingParameters { Temperature = 0, MaxTokens = maxTokens, IgnoreEos = !load.MayEndEarly, Seed = 1 } };
    }
}
