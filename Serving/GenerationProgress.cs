using Fastgen.Contracts;
using Fastgen.Engine;

namespace Fastgen.Serving;

/// <summary>Turns the deltas of one request into its events; the last one gets the usage.</summary>
internal sealed class GenerationProgress(TokenTexts tokenTexts, RetryEstimate retryEstimate, GenerationRequest request)
{
    private int _openChoices = request.Choices - (request.Resumed?.Count(choice => choice.HasEnded) ?? 0);
    private int _completionTokens = request.Resumed?.Sum(choice => choice.TokenIds.Count) ?? 0;

    public bool HasEnded => _openChoices == 0;

    public GenerationEvent Describe(EngineDelta delta)
    {
        _completionTokens += delta.TokenIds.Count;
        if (delta.FinishReason is not null)
        {
            retryEstimate.ChoiceFinished();
            _openChoices--;
        }

        return new GenerationEvent
        {
            Choice = delta.Index,
            Text = delta.Text,
            TokenIds = delta.TokenIds,
            Logprobs = delta.Logprobs is { } logprobs ? tokenTexts.Describe(logprobs) : null,
            FinishReason = EngineFailures.Translate(delta.FinishReason),
            Error = delta.Error,
            Usage = _openChoices == 0 ? new GenerationUsage(delta.PromptTokens, _completionTokens, delta.CachedTokens) : null,
        };
    }
}
