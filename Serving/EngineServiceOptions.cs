namespace Fastgen.Serving;

/// <summary>How an engine is offered to the API.</summary>
public sealed record EngineServiceOptions
{
    /// <summary>Names that requests may use, the first being the one that is listed first; null takes the engine's.</summary>
    public IReadOnlyList<string>? ModelNames { get; init; }

    /// <summary>For requests that name no temperature; null takes the model's generation_config.json.</summary>
    public float? DefaultTemperature { get; init; }

    /// <summary>For requests that name no top-p; null takes the model's generation_config.json.</summary>
    public float? DefaultTopP { get; init; }

    /// <summary>Most tokens of a choice, whatever a request asks for; null leaves only the context's room as limit.</summary>
    public int? MaxTokens { get; init; }
}
