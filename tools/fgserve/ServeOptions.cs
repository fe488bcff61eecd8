using Fastgen.Engine;

namespace Fastgen.Tools.FgServe;

/// <summary>What the command line said.</summary>
internal sealed record ServeOptions
{
    public required string Model { get; init; }

    public required EngineOptions Engine { get; init; }

    public float? Temperature { get; init; }

    public float? TopP { get; init; }

    public int? MaxTokens { get; init; }

    public bool Verbose { get; init; }

    public required string Host { get; init; }

    public int Port { get; init; }

    public string? ApiKey { get; init; }

    public IReadOnlyList<string> ServedNames { get; init; } = [];
}
