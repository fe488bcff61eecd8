using Fastgen.Contracts;

namespace Fastgen.OpenAI.Requests;

/// <summary>A validated request of either endpoint.</summary>
/// <param name="Kind">Decides the shape of the answer.</param>
/// <param name="Id">The answer's <c>id</c>.</param>
/// <param name="CreatedUnixSeconds">The answer's <c>created</c>.</param>
/// <param name="Model">The model asked for.</param>
/// <param name="Generations">One per prompt.</param>
/// <param name="Choices">Choices per prompt.</param>
/// <param name="Stream">Server-sent events instead of one body.</param>
/// <param name="IncludeUsage">A last chunk with the usage.</param>
/// <param name="Echo">Per prompt the text that precedes each of its choices, or null.</param>
internal sealed record ApiRequest(
    ApiKind Kind,
    string Id,
    long CreatedUnixSeconds,
    string Model,
    IReadOnlyList<GenerationRequest> Generations,
    int Choices,
    bool Stream,
    bool IncludeUsage,
    IReadOnlyList<string>? Echo)
{
    public int TotalChoices => Generations.Count * Choices;

    public bool Logprobs => Generations[0].Sampling.Logprobs is not null;
}
