using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>Makes connections: TCP, TLS, HELLO 3 with login and name, SELECT.</summary>
internal static class RedisConnector
{
    /// <exception cref="RedisConnectionException">No connection; <see cref="RedisConnectionException.IsRefusal"/> when trying again will not help by itself.</exception>
    public static async Task<RedisConnection> ConnectAsync(RedisLink link, RedisOptions options, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(options.ConnectTimeout);
        RedisConnection? connection = null;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            await socket.ConnectAsync(options.Host, options.Port, limit.Token).ConfigureAwait(false);
            Stream stream = new NetworkStream(socket, ownsSocket: true);
            if (options.Ssl)
            {
                stream = await EncryptAsync(stream, options, limit.Token).ConfigureAwait(false);
            }

            connection = new RedisConnection(link, options, socket, stream);
            connection.StartReading();
            await GreetAsync(connection, link, options, limit.Token).ConfigureAwait(false);
            await link.PrepareAsync(connection, limit.Token).ConfigureAwait(false);
            return connection;
        }
        catch (Exception e)
        {
            connection?.Fault(e);
            socket.Dispose();
            if (cancellationToken.IsCancellationRequested)
            {
                throw;
            }

            throw Explain(e, options);
        }
    }

    private static async Task<Stream> EncryptAsync(Stream stream, RedisOptions options, CancellationToken cancellationToken)
    {
        var tls = new SslStream(stream);
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = options.SslHost ?? options.Host,
                RemoteCertificateValidationCallback = options.CertificateValidation,
            },
            cancellationToken).ConfigureAwait(false);
        return tls;
    }

    private static async Task GreetAsync(RedisConnection connection, RedisLink link, RedisOptions options, CancellationToken cancellationToken)
    {
        bool login = options.Password is not null || options.User is not null;
        bool named = !string.IsNullOrEmpty(options.ClientName);
        RedisCommand hello = link.Commands.Begin(2 + (login ? 3 : 0) + (named ? 2 : 0)).Add("HELLO").Add(3);
        if (login)
        {
            hello.Add("AUTH").Add(options.User ?? "default").Add(options.Password ?? "");
        }

        if (named)
        {
            hello.Add("SETNAME").Add(options.ClientName!);
        }

        await CallAsync(connection, link, hello, options, cancellationToken).ConfigureAwait(false);
        if (options.Database != 0)
        {
            await CallAsync(connection, link, link.Commands.Begin(2).Add("SELECT").Add(options.Database), options, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A call on a connection that is still being made, which the link does not know yet.</summary>
    public static async Task<RespValue> CallAsync(RedisConnection connection, RedisLink link, RedisCommand command, RedisOptions options, CancellationToken cancellationToken)
    {
        // The command counts as retried out: during the greeting nobody would send it again.
        command.Retries = int.MaxValue;
        Task<RespValue> reply = command.Start(link, (int)options.ConnectTimeout.TotalMilliseconds, CancellationToken.None).AsTask();
        if (!connection.TrySend(command))
        {
            command.Fail(new RedisConnectionException($"The connection to {options.Endpoint} broke while it was being made."));
        }

        return await reply.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static RedisConnectionException Explain(Exception error, RedisOptions options) => error switch
    {
        OperationCanceledException => new($"{options.Endpoint} did not answer within {options.ConnectTimeout.TotalMilliseconds} ms; check that Redis runs there, and that ssl={(options.Ssl ? "true" : "false")} is right."),
        AuthenticationException => new($"TLS with {options.Endpoint} failed: {error.Message} Check its certificate, sslHost, and whether the port speaks TLS.", error) { IsRefusal = true },
        RedisServerException { Code: "WRONGPASS" or "NOAUTH" or "NOPERM" } => new($"{options.Endpoint} refused the login: {error.Message} Check user and password.", error) { IsRefusal = true },
        RedisServerException { Code: "LOADING" or "MASTERDOWN" or "BUSY" } => new($"{options.Endpoint} is not ready: {error.Message}", error),
        RedisServerException => new($"{options.Endpoint} refused the greeting: {error.Message} Redis 6 or newer is needed.", error) { IsRefusal = !error.Message.Contains("max number of clients", StringComparison.Ordinal) },
        _ when options.Ssl && error is IOException => new($"TLS with {options.Endpoint} failed: {error.Message} Check whether the port speaks TLS.", error),
        RedisConnectionException { InnerException: not null } => new($"{options.Endpoint} broke the connection during the greeting: {error.InnerException.Message}", error),
        _ => new($"{options.Endpoint} cannot be reached: {error.Message}", error),
    };
}
