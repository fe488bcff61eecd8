namespace Fastgen.Engine.Model;

/// <summary>A model cannot be loaded: a file is missing or damaged, or the model needs something that is not supported. The message names the file, the value, the limit and the remedy.</summary>
public sealed class ModelLoadException : Exception
{
    /// <summary>An exception without a message; use one of the others.</summary>
    public ModelLoadException()
    {
    }

    /// <param name="message">What is wrong, where, and what helps.</param>
    public ModelLoadException(string message)
        : base(message)
    {
    }

    /// <param name="message">What is wrong, where, and what helps.</param>
    /// <param name="innerException">What it came from.</param>
    public ModelLoadException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>The model is well-formed, but needs an architecture, an activation, a rope type or a quantisation that is not supported.</summary>
    public bool IsUnsupported { get; init; }
}
