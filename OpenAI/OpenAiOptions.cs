namespace Fastgen.OpenAI;

/// <summary>Limits and access of the OpenAI API.</summary>
public sealed record OpenAiOptions
{
    /// <summary>Callers must send it as <c>Authorization: Bearer KEY</c>; null leaves the API open.</summary>
    public string? ApiKey { get; set; }

    /// <summary>Largest request body in bytes; a larger one is answered with 413.</summary>
    public long MaxBodyBytes { get; set; } = 8 << 20;

    /// <summary>Deepest nesting of arrays and objects in a body.</summary>
    public int MaxJsonDepth { get; set; } = 64;

    /// <summary>Most messages of one chat request.</summary>
    public int MaxMessages { get; set; } = 4096;

    /// <summary>Most tool definitions of one chat request.</summary>
    public int MaxTools { get; set; } = 128;

    /// <summary>Most choices of one request: its prompts times <c>n</c>.</summary>
    public int MaxChoices { get; set; } = 1024;

    /// <summary>Most entries of <c>stop</c>.</summary>
    public int MaxStopStrings { get; set; } = 16;
}
