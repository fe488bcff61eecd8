using Fastgen.Contracts;
using Fastgen.Engine;
using Fastgen.Engine.Sampling;

namespace Fastgen.Serving;

/// <summary>Turns a request of the API into one of the engine, filling in what the request leaves open.</summary>
internal sealed class RequestTranslator(GenerationDefaults defaults, EngineServiceOptions options)
{
    private readonly SamplingParameters _defaults = Override(defaults.ToSampling(), options);

    public EngineRequest Translate(GenerationRequest request)
    {
        GenerationSampling asked = request.Sampling;
        return new EngineRequest
        {
            Id = request.Id,
            Text = request.PromptText,
            TokenIds = request.PromptTokens,
            Messages = request.Messages,
            Tools = request.Tools,
            TemplateArguments = request.TemplateArguments,
            N = request.Choices,
            Resumed = request.Resumed is { } resumed ? [.. resumed.Select(choice => new Engine.ResumedChoice(choice.TokenIds, choice.HasEnded))] : null,
            Priority = request.Priority,
            Sampling = _defaults with
            {
                Temperature = asked.Temperature ?? _defaults.Temperature,
                TopP = asked.TopP ?? _defaults.TopP,
                TopK = asked.TopK ?? _defaults.TopK,
                MinP = asked.MinP ?? _defaults.MinP,
                Seed = asked.Seed,
                PresencePenalty = asked.PresencePenalty ?? _defaults.PresencePenalty,
                FrequencyPenalty = asked.FrequencyPenalty ?? _defaults.FrequencyPenalty,
                RepetitionPenalty = asked.RepetitionPenalty ?? _defaults.RepetitionPenalty,
                LogitBias = asked.LogitBias,
                StopStrings = asked.Stop ?? [],
                StopTokenIds = asked.StopTokenIds ?? [],
                MaxTokens = Smaller(asked.MaxTokens, options.MaxTokens),
                MinTokens = asked.MinTokens ?? 0,
                IgnoreEos = asked.IgnoreEos,
                Logprobs = asked.Logprobs,
            },
        };
    }

    private static SamplingParameters Override(SamplingParameters recommended, EngineServiceOptions options) => recommended with
    {
        Temperature = options.DefaultTemperature ?? recommended.Temperature,
        TopP = options.DefaultTopP ?? recommended.TopP,
    };

    private static int? Smaller(int? asked, int? limit) => asked is { } a && limit is { } l ? Math.Min(a, l) : asked ?? limit;
}
