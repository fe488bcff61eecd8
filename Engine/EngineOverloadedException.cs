namespace Fastgen.Engine;

/// <summary>The queue of waiting requests is full; try again later.</summary>
public sealed class EngineOverloadedException : Exception
{
    /// <summary>Without a message.</summary>
    public EngineOverloadedException()
    {
    }

    /// <param name="message">Names the value, the limit and the remedy.</param>
    public EngineOverloadedException(string message)
        : base(message)
    {
    }

    /// <param name="message">Names the value, the limit and the remedy.</param>
    /// <param name="innerException">What led to it.</param>
    public EngineOverloadedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
