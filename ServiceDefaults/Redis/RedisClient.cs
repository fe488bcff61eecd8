using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>
/// A Redis client for any number of concurrent callers over one connection: calls are pipelined, replies matched in
/// order. Connects on first use and again by itself whenever the connection breaks. Blocking commands and
/// subscriptions have connections of their own: <see cref="OpenBlocking"/>, <see cref="SubscribeAsync"/>.
/// </summary>
/// <remarks>
/// Every call ends within its time-out. The methods throw <see cref="RedisServerException"/> for an error reply,
/// <see cref="RedisTimeoutException"/>, <see cref="RedisConnectionException"/> and <see cref="RedisProtocolException"/>.
/// Await each returned task exactly once.
/// </remarks>
public sealed partial class RedisClient : IAsyncDisposable
{
    private readonly ILogger _logger;
    private readonly RedisLink _link;

    /// <summary>Creates a client; no connection is made yet.</summary>
    public RedisClient(RedisOptions options, ILogger? logger = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        _logger = logger ?? NullLogger.Instance;
        _link = new RedisLink(options, _logger);
    }

    /// <summary>Where the server is and how long to wait for it.</summary>
    public RedisOptions Options { get; }

    /// <summary>Whether there is a connection at this moment.</summary>
    public bool IsConnected => _link.IsConnected;

    /// <summary>Sends any command that does not block and does not subscribe.</summary>
    /// <param name="words">The command and its arguments; bytes are copied before the method returns.</param>
    public ValueTask<RespValue> ExecuteAsync(params ReadOnlySpan<RedisArg> words) => ExecuteAsync(words, Options.CommandTimeout);

    /// <summary>Sends any command that does not block and does not subscribe, with a time-out of its own.</summary>
    public ValueTask<RespValue> ExecuteAsync(ReadOnlySpan<RedisArg> words, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        _link.Send(_link.Commands.Create(words), timeout, cancellationToken);

    /// <summary>Opens a connection for commands that block: one consumer of streams needs one.</summary>
    public RedisBlockingConnection OpenBlocking(string? clientName = null) =>
        new(clientName is null ? Options : Options with { ClientName = clientName }, _logger);

    /// <summary>
    /// Subscribes to channels on a connection of its own, and again whenever that breaks. Messages sent while it
    /// is broken are lost, as always with pub/sub.
    /// </summary>
    /// <param name="channels">At least one channel.</param>
    /// <param name="onMessage">Called for each message in order, on the reading loop: it must not block.</param>
    /// <param name="onSubscribed">Called each time that the subscriptions have been made: first before this method returns, then after each gap.</param>
    public async Task<RedisSubscription> SubscribeAsync(IReadOnlyList<string> channels, Action<RedisMessage> onMessage, Action? onSubscribed = null, CancellationToken cancellationToken = default)
    {
        var subscription = new RedisSubscription(Options, _logger, channels, onMessage, onSubscribed);
        try
        {
            await subscription.WaitForFirstAsync(cancellationToken).ConfigureAwait(false);
            return subscription;
        }
        catch
        {
            await subscription.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Closes the connection; calls under way fail.</summary>
    public ValueTask DisposeAsync() => _link.DisposeAsync();

    private RedisCommand Begin(int words) => _link.Commands.Begin(words);

    private ValueTask<RespValue> Send(RedisCommand command, CancellationToken cancellationToken) => _link.Send(command, Options.CommandTimeout, cancellationToken);

    private ValueTask<long> SendForInt64(RedisCommand command, CancellationToken cancellationToken) => Int64(Send(command, cancellationToken));

    private ValueTask<string?> SendForString(RedisCommand command, CancellationToken cancellationToken) => Text(Send(command, cancellationToken));

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<long> Int64(ValueTask<RespValue> reply) => (await reply.ConfigureAwait(false)).AsInt64();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<string?> Text(ValueTask<RespValue> reply) => (await reply.ConfigureAwait(false)).AsString();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<bool> NotNull(ValueTask<RespValue> reply) => !(await reply.ConfigureAwait(false)).IsNull;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<T> Convert<T>(ValueTask<RespValue> reply, Func<RespValue, T> convert) => convert(await reply.ConfigureAwait(false));
}
