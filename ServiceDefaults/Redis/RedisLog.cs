using Microsoft.Extensions.Logging;

namespace Fastgen.ServiceDefaults.Redis;

internal static partial class RedisLog
{
    [LoggerMessage(1, LogLevel.Debug, "Connected to Redis at {Endpoint}.")]
    public static partial void Connected(ILogger logger, string endpoint);

    [LoggerMessage(2, LogLevel.Warning, "Lost Redis at {Endpoint}, connecting again. {Reason}")]
    public static partial void Lost(ILogger logger, string endpoint, string? reason);

    [LoggerMessage(EventId = 3, Message = "Attempt {Attempt} to connect to Redis failed, trying again. {Reason}")]
    public static partial void Failed(ILogger logger, LogLevel level, int attempt, string reason);

    [LoggerMessage(4, LogLevel.Error, "A subscriber threw; the message is lost to it.")]
    public static partial void CallbackFailed(ILogger logger, Exception error);
}
