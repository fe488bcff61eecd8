using System.Text.Json;
using System.Text.Json.Nodes;
using Fastgen.Engine.Sampling;

namespace Fastgen.Engine;

/// <summary>What to generate from. Exactly one of <see cref="Text"/>, <see cref="TokenIds"/> and <see cref="Messages"/> is set.</summary>
public sealed record EngineRequest
{
    /// <summary>The caller's name for it, in errors and logs.</summary>
    public string? Id { get; init; }

    /// <summary>Plain text, encoded with the special tokens that the tokenizer adds.</summary>
    public string? Text { get; init; }

    /// <summary>Token ids, taken as they are.</summary>
    public IReadOnlyList<int>? TokenIds { get; init; }

    /// <summary>Chat messages as OpenAI's API has them, rendered by the model's chat template: an array of objects.</summary>
    public JsonElement? Messages { get; init; }

    /// <summary>Tools for the chat template: an array of objects.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Further variables for the chat template: an object.</summary>
    public JsonElement? TemplateArguments { get; init; }

    /// <summary>How tokens are chosen and when the choices end.</summary>
    public SamplingParameters Sampling { get; init; } = new();

    /// <summary>Choices to generate; they share the prompt's computation.</summary>
    public int N { get; init; } = 1;

    /// <summary>One per choice where this request goes on with one that broke off elsewhere; null for a request from its beginning.</summary>
    /// <remarks>Everything is as if those tokens had been generated here: penalties, limits, stop strings, text, and with the same
    /// <see cref="SamplingParameters.Seed"/> the random choices. Only what comes after them is told; counts include them. For
    /// <see cref="LlmEngine.StreamAsync"/> and <see cref="LlmEngine.Start"/>.</remarks>
    public IReadOnlyList<ResumedChoice>? Resumed { get; init; }

    /// <summary>0 is normal; lower runs earlier.</summary>
    public int Priority { get; init; }

    /// <summary>Anything of the caller's; the engine carries it to the completion.</summary>
    public object? Tag { get; init; }

    /// <summary>A request for text that continues a text.</summary>
    public static EngineRequest FromText(string text) => new() { Text = text };

    /// <summary>A request for tokens that continue tokens.</summary>
    public static EngineRequest FromTokens(params IReadOnlyList<int> tokenIds) => new() { TokenIds = tokenIds };

    /// <summary>A request for the next message of a conversation.</summary>
    /// <param name="messages">Roles such as <c>system</c>, <c>user</c>, <c>assistant</c>, with what was said.</param>
    public static EngineRequest Chat(params ReadOnlySpan<(string Role, string Content)> messages)
    {
        var array = new JsonArray();
        foreach ((string role, string content) in messages)
        {
            array.Add(new JsonObject { ["role"] = role, ["content"] = content });
        }

        return new EngineRequest { Messages = JsonSerializer.SerializeToElement(array) };
    }
}
