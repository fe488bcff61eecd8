namespace Fastgen.Engine;

/// <summary>A request is wrong: its message names the value, the limit and the remedy.</summary>
public sealed class EngineRequestException : Exception
{
    /// <summary>Without a message.</summary>
    public EngineRequestException()
    {
    }

    /// <param name="message">Names the value, the limit and the remedy.</param>
    public EngineRequestException(string message)
        : base(message)
    {
    }

    /// <param name="message">Names the value, the limit and the remedy.</param>
    /// <param name="innerException">What led to it.</param>
    public EngineRequestException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>The property at fault, where one is.</summary>
    public string? Parameter { get; init; }

    /// <summary>OpenAI's error code, where it has one: <c>context_length_exceeded</c>.</summary>
    public string? Code { get; init; }
}
