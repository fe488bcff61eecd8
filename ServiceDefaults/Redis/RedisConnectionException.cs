namespace Fastgen.ServiceDefaults.Redis;

/// <summary>The server could not be reached, refused us, or went away.</summary>
public sealed class RedisConnectionException : RedisException
{
    /// <summary>Creates an exception without a message.</summary>
    public RedisConnectionException()
    {
    }

    /// <summary>Creates an exception with a message.</summary>
    public RedisConnectionException(string message) : base(message)
    {
    }

    /// <summary>Creates an exception with a message and its cause.</summary>
    public RedisConnectionException(string message, Exception? innerException) : base(message, innerException)
    {
    }

    /// <summary>
    /// True when the command had been handed to the network, so the server may or may not have executed it:
    /// retry only what may happen twice. False when it was certainly not sent.
    /// </summary>
    public bool EffectUnknown { get; init; }

    /// <summary>True when waiting will not help: wrong credentials, an untrusted certificate, a server too old.</summary>
    public bool IsRefusal { get; init; }
}
