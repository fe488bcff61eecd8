namespace Aspire.Hosting;

/// <summary>The described application cannot run; the message names the cause and the remedy.</summary>
public sealed class DistributedApplicationException : Exception
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public DistributedApplicationException()
    {
    }

    /// <summary>Creates the exception with <paramref name="message"/>.</summary>
    public DistributedApplicationException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with <paramref name="message"/> and what caused it.</summary>
    public DistributedApplicationException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
