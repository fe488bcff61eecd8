namespace Fastgen.ServiceDefaults.Redis;

/// <summary>A call had no reply within its time-out.</summary>
public sealed class RedisTimeoutException : RedisException
{
    /// <summary>Creates an exception without a message.</summary>
    public RedisTimeoutException()
    {
    }

    /// <summary>Creates an exception with a message.</summary>
    public RedisTimeoutException(string message) : base(message)
    {
    }

    /// <summary>Creates an exception with a message and its cause.</summary>
    public RedisTimeoutException(string message, Exception? innerException) : base(message, innerException)
    {
    }

    /// <summary>True when the command had been handed to the network, so the server may still execute it.</summary>
    public bool EffectUnknown { get; init; }
}
