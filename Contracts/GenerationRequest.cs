using System.Text.Json;

namespace Fastgen.Contracts;

/// <summary>One request as it travels from the API to whoever generates. Exactly one of the three prompts is set.</summary>
public sealed record GenerationRequest
{
    /// <summary>Unique; also the name of the request in logs, Redis and replies.</summary>
    public required string Id { get; init; }

    public required string Model { get; init; }

    /// <summary>Chat messages as OpenAI sends them, rendered by the model's chat template: an array of objects.</summary>
    public JsonElement? Messages { get; init; }

    /// <summary>Tool definitions for the chat template: an array of objects.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Extra variables for the chat template.</summary>
    public JsonElement? TemplateArguments { get; init; }

    /// <summary>Plain text.</summary>
    public string? PromptText { get; init; }

    /// <summary>Token ids.</summary>
    public IReadOnlyList<int>? PromptTokens { get; init; }

    /// <summary>How many choices; they share the prompt's computation.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>One per choice when a worker was lost: generation goes on behind these tokens. Null from the beginning.</summary>
    public IReadOnlyList<ResumedChoice>? Resumed { get; init; }

    public GenerationSampling Sampling { get; init; } = new();

    /// <summary>0 is normal; lower runs earlier.</summary>
    public int Priority { get; init; }

    /// <summary>W3C traceparent of the caller's span.</summary>
    public string? TraceParent { get; init; }

    /// <summary>The caller gives up at this time.</summary>
    public DateTimeOffset? Deadline { get; init; }
}
