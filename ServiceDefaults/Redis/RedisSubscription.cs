using Microsoft.Extensions.Logging;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>Subscriptions to channels, kept up over broken connections until disposed.</summary>
public sealed class RedisSubscription : IAsyncDisposable
{
    private static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(10);

    private readonly RedisOptions _options;
    private readonly string[] _channels;
    private readonly Action<RedisMessage> _onMessage;
    private readonly Action? _onSubscribed;
    private readonly ILogger _logger;
    private readonly RedisLink _link;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _pinging;

    internal RedisSubscription(RedisOptions options, ILogger logger, IReadOnlyList<string> channels, Action<RedisMessage> onMessage, Action? onSubscribed)
    {
        ArgumentNullException.ThrowIfNull(channels);
        ArgumentNullException.ThrowIfNull(onMessage);
        ArgumentOutOfRangeException.ThrowIfZero(channels.Count);
        _options = options;
        _logger = logger;
        _channels = [.. channels];
        _onMessage = onMessage;
        _onSubscribed = onSubscribed;
        _link = new RedisLink(options, logger, onPush: OnPush, prepare: PrepareAsync);
        _pinging = PingAsync();
    }

    /// <summary>Whether the subscriptions stand at this moment.</summary>
    public bool IsConnected => _link.IsConnected;

    /// <summary>Ends the subscriptions.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _link.DisposeAsync().ConfigureAwait(false);
        await _pinging.ConfigureAwait(false);
        _stop.Dispose();
    }

    internal async Task WaitForFirstAsync(CancellationToken cancellationToken) =>
        await _link.Send(_link.Commands.Begin(1).Add("PING"), _options.CommandTimeout, cancellationToken).ConfigureAwait(false);

    /// <summary>Nothing else is sent on this connection, so that only a PING can tell whether the server is still there.</summary>
    private async Task PingAsync()
    {
        using var timer = new PeriodicTimer(PingInterval < _options.CommandTimeout ? PingInterval : _options.CommandTimeout);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                try
                {
                    await _link.Send(_link.Commands.Begin(1).Add("PING"), _options.CommandTimeout, _stop.Token).ConfigureAwait(false);
                }
                catch (RedisException)
                {
                    // The link has noticed and logged it, and connects again.
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task PrepareAsync(RedisConnection connection, CancellationToken cancellationToken)
    {
        foreach (string channel in _channels)
        {
            RedisCommand subscribe = _link.Commands.Begin(2).Add("SUBSCRIBE").Add(channel);
            subscribe.CompletesByPush = true;
            await RedisConnector.CallAsync(connection, _link, subscribe, _options, cancellationToken).ConfigureAwait(false);
        }

        Guard(_onSubscribed);
    }

    private bool OnPush(RespValue push)
    {
        ReadOnlySpan<RespValue> items = push.Items;
        if (items.Length != 3)
        {
            return false;
        }

        ReadOnlySpan<byte> kind = items[0].AsBytes().Span;
        if (kind.SequenceEqual("message"u8))
        {
            var message = new RedisMessage(items[1].AsString()!, items[2].AsBytes());
            Guard(() => _onMessage(message));
        }

        return kind.SequenceEqual("subscribe"u8);
    }

    /// <summary>A callback that throws must not take the connection with it.</summary>
    private void Guard(Action? callback)
    {
        try
        {
            callback?.Invoke();
        }
        catch (Exception e)
        {
            RedisLog.CallbackFailed(_logger, e);
        }
    }
}
