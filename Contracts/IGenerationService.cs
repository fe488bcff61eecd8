namespace Fastgen.Contracts;

/// <summary>What the OpenAI API asks of whatever generates: an engine in this process, or a fleet behind Redis.</summary>
public interface IGenerationService
{
    /// <summary>Models that can be asked for now.</summary>
    ValueTask<IReadOnlyList<ModelInfo>> ListModelsAsync(CancellationToken cancellationToken);

    /// <summary>Generates; cancelling the token or disposing the enumerator frees everything the request holds.</summary>
    /// <returns>Deltas in order per choice; every choice ends with one event that has a finish reason; the last event carries the usage.</returns>
    /// <exception cref="GenerationException">The request cannot be served; before the first event for anything the caller did wrong.</exception>
    IAsyncEnumerable<GenerationEvent> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken);
}
