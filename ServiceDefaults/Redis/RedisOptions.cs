using System.Net.Security;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>Where the server is and how long to wait for it.</summary>
public sealed record RedisOptions
{
    /// <summary>Host name or address.</summary>
    public string Host { get; init; } = "localhost";

    /// <summary>TCP port.</summary>
    public int Port { get; init; } = 6379;

    /// <summary>ACL user; null is the server's <c>default</c> user.</summary>
    public string? User { get; init; }

    /// <summary>Password; null sends no AUTH, or an empty one where <see cref="User"/> is set. Never printed.</summary>
    public string? Password { get; init; }

    /// <summary>Whether to speak TLS.</summary>
    public bool Ssl { get; init; }

    /// <summary>Name that the server's certificate must carry; null is <see cref="Host"/>.</summary>
    public string? SslHost { get; init; }

    /// <summary>Judges the server's certificate; null is the system's trust.</summary>
    public RemoteCertificateValidationCallback? CertificateValidation { get; init; }

    /// <summary>Database number, chosen by SELECT when it is not 0.</summary>
    public int Database { get; init; }

    /// <summary>Name shown in CLIENT LIST; letters, digits and punctuation without spaces.</summary>
    public string? ClientName { get; init; }

    /// <summary>Longest time for one attempt to connect, TLS and HELLO included.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest time for one call, including the wait for a connection and retries while the server loads.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// False: a call while disconnected waits for the connection until it times out. True: it fails at once
    /// (the first attempt to connect is always waited for).
    /// </summary>
    public bool FailFastWhileDisconnected { get; init; }

    /// <summary>First pause between two attempts to connect; it doubles with each failure, and each pause is 50 to 100 % of it.</summary>
    public TimeSpan BackoffBase { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Longest pause between two attempts to connect.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What a reply may cost.</summary>
    public RedisLimits Limits { get; init; } = new();

    /// <summary>Reads <c>host:port,password=…,ssl=true,…</c> (the form of StackExchange.Redis, which Aspire injects) or a <c>redis://</c> or <c>rediss://</c> URI.</summary>
    /// <exception cref="FormatException">The string is neither; the message names the part that is wrong, never the password.</exception>
    public static RedisOptions Parse(string connectionString) => RedisConnectionString.Parse(connectionString);

    /// <summary>The endpoint, for logs and messages.</summary>
    public string Endpoint => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>Endpoint and database; no user and no password.</summary>
    public override string ToString() => $"{(Ssl ? "rediss" : "redis")}://{Endpoint}/{Database}";
}
