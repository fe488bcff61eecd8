namespace Fastgen.Engine.Model.Inspection;

/// <summary>What a chat template does, found by rendering small conversations with it.</summary>
public sealed record TemplateReport
{
    /// <summary>Its name; <c>default</c> when the model has one.</summary>
    public required string Name { get; init; }

    /// <summary>Whether a question and an answer render.</summary>
    public required bool Renders { get; init; }

    /// <summary>Whether a system message shows in the text.</summary>
    public required bool System { get; init; }

    /// <summary>Whether the tools of a request show in the text.</summary>
    public required bool Tools { get; init; }

    /// <summary>Whether asking for the begin of an answer changes the text.</summary>
    public required bool GenerationPrompt { get; init; }

    /// <summary>Filters that it names and Jinja does not have.</summary>
    public required IReadOnlyList<string> UnknownFilters { get; init; }

    /// <summary>Tests that it names and Jinja does not have.</summary>
    public required IReadOnlyList<string> UnknownTests { get; init; }

    /// <summary>Variables that it asks for beyond the usual ones, such as <c>enable_thinking</c>.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }
}
