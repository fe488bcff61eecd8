using Fastgen.Contracts;
using Fastgen.Engine;
using Fastgen.Serving;

namespace Fastgen.InferenceWorker;

/// <summary>The engine and how it is offered.</summary>
internal sealed record LoadedModel(string Name, LlmEngine Engine, EngineGenerationService Service, long LoadedUnixSeconds)
{
    /// <summary>The streams whose requests this model can serve, most urgent first.</summary>
    public string[] RequestStreams { get; } = [.. Enum.GetValues<PriorityClass>().Select(priority => RedisKeys.Requests(Name, priority))];
}
