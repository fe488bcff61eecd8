using System.Globalization;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>Reads the connection strings that <see cref="RedisOptions.Parse"/> accepts.</summary>
internal static class RedisConnectionString
{
    private const string Supported = "user, password, ssl, sslHost, defaultDatabase, connectTimeout, syncTimeout, asyncTimeout, name";

    /// <summary>Options of StackExchange.Redis that change nothing for this client, so that strings made for it work.</summary>
    private static readonly HashSet<string> Ignored = new(StringComparer.OrdinalIgnoreCase)
    {
        "abortConnect", "allowAdmin", "channelPrefix", "checkCertificateRevocation", "configChannel", "configCheckSeconds",
        "connectRetry", "highIntegrity", "keepAlive", "protocol", "proxy", "resolveDns", "responseTimeout", "setlib",
        "sslProtocols", "tieBreaker", "version", "writeBuffer",
    };

    public static RedisOptions Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = text.Trim();
        bool isUri = text.StartsWith("redis://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("rediss://", StringComparison.OrdinalIgnoreCase);
        return isUri ? ParseUri(text) : ParseList(text);
    }

    private static RedisOptions ParseUri(string text)
    {
        // The exceptions of Uri may quote their input, password included, so they are not passed on.
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) || uri.Host.Length == 0)
        {
            throw new FormatException("The Redis URI is malformed; write redis://user:password@host:port/database, with special characters of the password percent-encoded.");
        }

        bool ssl = uri.Scheme.Equals("rediss", StringComparison.OrdinalIgnoreCase);
        string[] login = uri.UserInfo.Split(':', 2);
        string database = uri.AbsolutePath.Trim('/');
        return new RedisOptions
        {
            Host = uri.IdnHost,
            Port = uri.Port > 0 ? uri.Port : ssl ? 6380 : 6379,
            Ssl = ssl,
            User = login[0].Length > 0 ? Uri.UnescapeDataString(login[0]) : null,
            Password = login.Length > 1 && login[1].Length > 0 ? Uri.UnescapeDataString(login[1]) : null,
            Database = database.Length == 0 ? 0 : Number("database", database, 0, int.MaxValue),
        };
    }

    private static RedisOptions ParseList(string text)
    {
        var options = new RedisOptions();
        string? endpoint = null;
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals >= 0)
            {
                options = Apply(options, part[..equals].Trim(), part[(equals + 1)..].Trim());
            }
            else if (endpoint is null)
            {
                endpoint = part;
            }
            else
            {
                throw new FormatException("The Redis connection string names more than one server (or its password contains a comma, which this form cannot hold: use a redis:// URI with %2C); one server is supported.");
            }
        }

        if (endpoint is null)
        {
            throw new FormatException("The Redis connection string names no server; write host:port,password=… or redis://user:password@host:port/database.");
        }

        return WithEndpoint(options, endpoint);
    }

    private static RedisOptions Apply(RedisOptions options, string key, string value)
    {
        switch (key.ToUpperInvariant())
        {
            case "USER":
                return options with { User = value.Length > 0 ? value : null };
            case "PASSWORD":
                return options with { Password = value.Length > 0 ? value : null };
            case "SSL":
                return bool.TryParse(value, out bool ssl) ? options with { Ssl = ssl } : throw new FormatException($"ssl={value} in the Redis connection string is neither true nor false.");
            case "SSLHOST":
                return options with { SslHost = value };
            case "DEFAULTDATABASE":
                return options with { Database = Number(key, value, 0, int.MaxValue) };
            case "CONNECTTIMEOUT":
                return options with { ConnectTimeout = TimeSpan.FromMilliseconds(Number(key, value, 1, int.MaxValue)) };
            case "SYNCTIMEOUT" or "ASYNCTIMEOUT":
                return options with { CommandTimeout = TimeSpan.FromMilliseconds(Number(key, value, 1, int.MaxValue)) };
            case "NAME":
                return options with { ClientName = value };
            default:
                // An unknown key may be the tail of a password with a comma, so it is not quoted.
                return Ignored.Contains(key) ? options : throw new FormatException($"The Redis connection string has an option that is not known, {key.Length} characters long; known are {Supported}.");
        }
    }

    private static RedisOptions WithEndpoint(RedisOptions options, string endpoint)
    {
        int colon = endpoint.LastIndexOf(':');
        bool isBareIpV6 = colon > 0 && endpoint.IndexOf(':', StringComparison.Ordinal) != colon && endpoint[0] != '[';
        bool hasPort = colon >= 0 && !isBareIpV6 && !endpoint.EndsWith(']');
        string host = (hasPort ? endpoint[..colon] : endpoint).Trim('[', ']');
        if (host.Length == 0)
        {
            throw new FormatException("The Redis connection string has a port but no host.");
        }

        int port = hasPort ? Number("port", endpoint[(colon + 1)..], 1, 65535) : options.Ssl ? 6380 : 6379;
        return options with { Host = host, Port = port };
    }

    private static int Number(string name, string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw new FormatException($"The Redis connection string has a {name} that is not a number from {least} to {most}.");
}
