namespace Fastgen.Engine;

/// <summary>The engine stopped because its device failed repeatedly; load it anew.</summary>
public sealed class EngineFaultedException : Exception
{
    /// <summary>Without a message.</summary>
    public EngineFaultedException()
    {
    }

    /// <param name="message">Names the value, the limit and the remedy.</param>
    public EngineFaultedException(string message)
        : base(message)
    {
    }

    /// <param name="message">Names the value, the limit and the remedy.</param>
    /// <param name="innerException">What led to it.</param>
    public EngineFaultedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
