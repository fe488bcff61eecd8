namespace Fastgen.ServiceDefaults.Redis;

/// <summary>The server answered with an error.</summary>
public sealed class RedisServerException : RedisException
{
    /// <summary>Creates an exception without a message.</summary>
    public RedisServerException()
    {
    }

    /// <summary>Creates an exception from the error text of the server.</summary>
    public RedisServerException(string message) : base(message)
    {
        int space = message.IndexOf(' ', StringComparison.Ordinal);
        Code = space < 0 ? message : message[..space];
    }

    /// <summary>Creates an exception from the error text of the server and a cause.</summary>
    public RedisServerException(string message, Exception? innerException) : base(message, innerException)
    {
    }

    /// <summary>First word of the error: <c>WRONGTYPE</c>, <c>BUSYGROUP</c>, <c>LOADING</c>, <c>ERR</c> …</summary>
    public string Code { get; } = "ERR";
}
