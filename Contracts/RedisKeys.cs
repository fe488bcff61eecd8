namespace Fastgen.Contracts;

/// <summary>Names of everything that the fleet keeps in Redis.</summary>
public static class RedisKeys
{
    /// <summary>Consumer group of every request stream.</summary>
    public const string WorkerGroup = "workers";

    /// <summary>Sorted set of worker ids; the score is the time of the last heartbeat in Unix milliseconds.</summary>
    public const string Workers = "fastgen:workers";

    /// <summary>Sorted set of gateway ids; the score is the time of the last heartbeat in Unix milliseconds.</summary>
    public const string Gateways = "fastgen:gateways";

    /// <summary>Channel that carries ids of request entries (<see cref="Wire.CancelMessage"/>) that nobody waits for any more.</summary>
    public const string CancelChannel = "fastgen:cancel";

    /// <summary>Stream of requests for a model in one priority class; an entry stays until its last event is in a reply stream.</summary>
    public static string Requests(string model, PriorityClass priority) => $"fastgen:requests:{model}:{Name(priority)}";

    /// <summary>Stream that a gateway instance reads its replies from; it expires some time after the gateway's death.</summary>
    public static string Replies(string gatewayId) => $"fastgen:replies:{gatewayId}";

    /// <summary>Hash of the workers of a model: how many sequences each has, and when it said so.</summary>
    public static string Loads(string model) => $"fastgen:loads:{model}";

    /// <summary>A worker's <see cref="WorkerStatus"/> as JSON; expires when the heartbeat stops.</summary>
    public static string Worker(string workerId) => $"fastgen:worker:{workerId}";

    /// <summary>A gateway's <see cref="GatewayStatus"/> as JSON; expires when the heartbeat stops.</summary>
    public static string Gateway(string gatewayId) => $"fastgen:gateway:{gatewayId}";

    private static string Name(PriorityClass priority) => priority switch
    {
        PriorityClass.High => "high",
        PriorityClass.Normal => "normal",
        _ => "low",
    };
}
