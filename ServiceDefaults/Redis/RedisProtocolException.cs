namespace Fastgen.ServiceDefaults.Redis;

/// <summary>The server sent something that is not RESP3, that exceeds <see cref="RedisLimits"/>, or that is not what the command returns.</summary>
public sealed class RedisProtocolException : RedisException
{
    /// <summary>Creates an exception without a message.</summary>
    public RedisProtocolException()
    {
    }

    /// <summary>Creates an exception with a message.</summary>
    public RedisProtocolException(string message) : base(message)
    {
    }

    /// <summary>Creates an exception with a message and its cause.</summary>
    public RedisProtocolException(string message, Exception? innerException) : base(message, innerException)
    {
    }
}
