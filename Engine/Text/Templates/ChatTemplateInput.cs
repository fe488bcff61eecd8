using System.Text.Json;

namespace Fastgen.Engine.Text.Templates;

/// <summary>What a chat template is rendered with: HuggingFace's <c>apply_chat_template</c> arguments, as JSON.</summary>
public sealed record ChatTemplateInput
{
    /// <summary>Array of message objects (<c>role</c>, <c>content</c>, <c>tool_calls</c> …).</summary>
    public required JsonElement Messages { get; init; }

    /// <summary>Whether the prompt ends where the assistant is to speak.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Whether the prompt ends inside the last message, which the model is to continue. Excludes <see cref="AddGenerationPrompt"/>.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>Array of tool descriptions; null when the request offers none.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>Array of documents for retrieval templates.</summary>
    public JsonElement? Documents { get; init; }

    /// <summary>Variable <c>bos_token</c>; undefined when null.</summary>
    public string? BosToken { get; init; }

    /// <summary>Variable <c>eos_token</c>; undefined when null.</summary>
    public string? EosToken { get; init; }

    /// <summary>More variables: <c>chat_template_kwargs</c> of a request, further special tokens. They win over the others of the same name.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Extra { get; init; }

    /// <summary>What <c>strftime_now</c> tells; the local time when null.</summary>
    public DateTimeOffset? Now { get; init; }
}
