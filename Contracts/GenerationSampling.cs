namespace Fastgen.Contracts;

/// <summary>Sampling as the API names it; null takes the model's generation_config.json, else the engine's default.</summary>
public sealed record GenerationSampling
{
    public float? Temperature { get; init; }

    public float? TopP { get; init; }

    public int? TopK { get; init; }

    public float? MinP { get; init; }

    public ulong? Seed { get; init; }

    public float? PresencePenalty { get; init; }

    public float? FrequencyPenalty { get; init; }

    public float? RepetitionPenalty { get; init; }

    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    public IReadOnlyList<string>? Stop { get; init; }

    public IReadOnlyList<int>? StopTokenIds { get; init; }

    public int? MaxTokens { get; init; }

    public int? MinTokens { get; init; }

    public bool IgnoreEos { get; init; }

    /// <summary>Null: none; 0: of the chosen tokens; k: with k alternatives.</summary>
    public int? Logprobs { get; init; }
}
