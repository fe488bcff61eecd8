namespace Fastgen.ServiceDefaults.Redis;

/// <summary>Base of everything that the Redis client throws. Messages name commands and endpoints, never arguments or passwords.</summary>
public class RedisException : Exception
{
    /// <summary>Creates an exception without a message.</summary>
    public RedisException()
    {
    }

    /// <summary>Creates an exception with a message.</summary>
    public RedisException(string message) : base(message)
    {
    }

    /// <summary>Creates an exception with a message and its cause.</summary>
    public RedisException(string message, Exception? innerException) : base(message, innerException)
    {
    }
}
