using Microsoft.Extensions.Logging;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>
/// A connection that comes back: holds the current <see cref="RedisConnection"/>, makes a new one when it dies, and
/// keeps the commands that wait for one. A command is sent twice only when it was certainly not executed the first time.
/// </summary>
internal sealed class RedisLink : IAsyncDisposable
{
    private const int TickMs = 25;
    private const int StableMs = 2000;

    private readonly RedisOptions _options;
    private readonly ILogger _logger;
    private readonly Func<RespValue, bool>? _onPush;
    private readonly Func<RedisConnection, CancellationToken, Task>? _prepare;
    private readonly bool _dropsOnCancel;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Timer _timer;
    private Queue<RedisCommand> _waiting = new();
    private readonly List<RedisCommand> _retrying = [];
    private volatile RedisConnection? _current;
    private Task? _loop;
    private RedisConnectionException? _lastFailure;
    private bool _disposed;

    /// <param name="dropsOnCancel">Whether cancelling a call ends the connection; needed where the server may be blocked in it.</param>
    /// <param name="onPush">Receives pushes; true when the push confirms a SUBSCRIBE.</param>
    /// <param name="prepare">Runs on each new connection before commands do.</param>
    public RedisLink(RedisOptions options, ILogger logger, bool dropsOnCancel = false, Func<RespValue, bool>? onPush = null, Func<RedisConnection, CancellationToken, Task>? prepare = null)
    {
        _options = options;
        _logger = logger;
        _dropsOnCancel = dropsOnCancel;
        _onPush = onPush;
        _prepare = prepare;
        _timer = new Timer(static state => ((RedisLink)state!).Tick(), this, Timeout.Infinite, Timeout.Infinite);
    }

    public RedisCommandPool Commands { get; } = new();

    public bool IsConnected
    {
        get
        {
            // Under the lock, so that who has had a first reply also sees the connection that gave it.
            lock (_gate)
            {
                return _current is not null;
            }
        }
    }

    /// <summary>Sends a command now, or as soon as there is a connection.</summary>
    public ValueTask<RespValue> Send(RedisCommand command, TimeSpan timeout, CancellationToken cancellationToken)
    {
        ValueTask<RespValue> result = command.Start(this, (int)Math.Clamp(timeout.TotalMilliseconds, 1, int.MaxValue / 2), cancellationToken);
        Submit(command);
        return result;
    }

    /// <summary>Starts to connect without waiting for a command.</summary>
    public void Connect()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_loop is null)
            {
                _timer.Change(TickMs, TickMs);
                _loop = Task.Run(RunAsync);
            }
        }
    }

    /// <summary>A caller gave up. The reply is still due and is thrown away, unless the server may be blocked.</summary>
    public void OnCancelled()
    {
        if (_dropsOnCancel)
        {
            _current?.Fault(new OperationCanceledException("The caller cancelled a blocking command."));
        }
    }

    public bool OnPush(in RespValue push) => _onPush is not null && _onPush(push);

    public Task PrepareAsync(RedisConnection connection, CancellationToken cancellationToken) =>
        _prepare is null ? Task.CompletedTask : _prepare(connection, cancellationToken);

    /// <summary>Takes back a command that the server did not execute because it is loading or its master is away.</summary>
    public bool TryRetry(RedisCommand command, in RespValue error)
    {
        ReadOnlySpan<byte> text = error.AsBytes().Span;
        if (!text.StartsWith("LOADING"u8) && !text.StartsWith("MASTERDOWN"u8) && !text.StartsWith("TRYAGAIN"u8))
        {
            return false;
        }

        long delayMs = Backoff(TimeSpan.FromMilliseconds(25), TimeSpan.FromSeconds(1), command.Retries);
        long retryAtMs = Environment.TickCount64 + delayMs;
        if (command.Retries == int.MaxValue || retryAtMs >= command.DeadlineMs)
        {
            return false;
        }

        lock (_gate)
        {
            if (_disposed)
            {
                return false;
            }

            command.Retries++;
            command.RetryAtMs = retryAtMs;
            _retrying.Add(command);
            return true;
        }
    }

    /// <summary>A connection died; what it never sent waits for the next one, ahead of what came later.</summary>
    public void OnFault(RedisConnection connection, Exception reason, List<RedisCommand> unsent)
    {
        List<RedisCommand> refused = [];
        lock (_gate)
        {
            if (ReferenceEquals(_current, connection))
            {
                _current = null;
                _lastFailure = new RedisConnectionException($"The connection to {_options.Endpoint} was lost: {reason.Message}", reason);
            }

            if (_disposed || _options.FailFastWhileDisconnected || unsent.Exists(c => c.Retries == int.MaxValue))
            {
                refused = unsent;
            }
            else if (unsent.Count > 0)
            {
                _waiting = new Queue<RedisCommand>(unsent.Concat(_waiting));
            }
        }

        foreach (RedisCommand command in refused)
        {
            command.Fail(new RedisConnectionException($"The connection to {_options.Endpoint} broke before {command.Name} was sent.", reason));
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task? loop;
        RedisConnection? current;
        List<RedisCommand> orphans;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            loop = _loop;
            current = _current;
            _current = null;
            orphans = [.. _waiting, .. _retrying];
            _waiting.Clear();
            _retrying.Clear();
        }

        await _timer.DisposeAsync().ConfigureAwait(false);
        await _stop.CancelAsync().ConfigureAwait(false);
        current?.Fault(new ObjectDisposedException(nameof(RedisClient)));
        foreach (RedisCommand command in orphans)
        {
            command.Fail(new ObjectDisposedException(nameof(RedisClient)));
        }

        if (loop is not null)
        {
            await loop.ConfigureAwait(false);
        }

        _stop.Dispose();
    }

    private void Submit(RedisCommand command)
    {
        if (command.IsCompleted)
        {
            command.Release();
            return;
        }

        if (_current is { } connection && connection.TrySend(command))
        {
            return;
        }

        Exception? refusal = null;
        lock (_gate)
        {
            if (_disposed)
            {
                refusal = new ObjectDisposedException(nameof(RedisClient));
            }
            else if (_current is { } now && now.TrySend(command))
            {
                return;
            }
            else if (_lastFailure is { } failure && (failure.IsRefusal || _options.FailFastWhileDisconnected))
            {
                refusal = new RedisConnectionException($"{command.Name} was not sent. {failure.Message}", failure) { IsRefusal = failure.IsRefusal };
            }
            else
            {
                _waiting.Enqueue(command);
            }
        }

        if (refusal is null)
        {
            Connect();
        }
        else
        {
            command.Fail(refusal);
        }
    }

    private async Task RunAsync()
    {
        int failures = 0;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (failures > 0)
                {
                    await Task.Delay((int)Backoff(_options.BackoffBase, _options.BackoffMax, failures - 1), _stop.Token).ConfigureAwait(false);
                }

                RedisConnection connection = await RedisConnector.ConnectAsync(this, _options, _stop.Token).ConfigureAwait(false);
                RedisMetrics.Connects.Add(1);
                long sinceMs = Environment.TickCount64;
                Publish(connection);
                RedisLog.Connected(_logger, _options.Endpoint);
                await connection.Closed.ConfigureAwait(false);

                // A server that greets and then hangs up must not be stormed.
                failures = Environment.TickCount64 - sinceMs >= StableMs ? 0 : failures + 1;
                if (!_stop.IsCancellationRequested)
                {
                    RedisLog.Lost(_logger, _options.Endpoint, _lastFailure?.Message);
                }
            }
            catch (RedisConnectionException e)
            {
                failures++;
                RedisLog.Failed(_logger, failures == 1 ? LogLevel.Warning : LogLevel.Debug, failures, e.Message);
                OnConnectFailed(e);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
            }
        }
    }

    /// <summary>Sends what waits, in its order, and only then lets later calls through.</summary>
    private void Publish(RedisConnection connection)
    {
        lock (_gate)
        {
            if (_disposed)
            {
                connection.Fault(new ObjectDisposedException(nameof(RedisClient)));
                return;
            }

            _lastFailure = null;
            while (_waiting.TryPeek(out RedisCommand? command))
            {
                if (command.IsCompleted)
                {
                    command.Release();
                }
                else if (!connection.TrySend(command))
                {
                    break;
                }

                _waiting.Dequeue();
            }

            _current = connection;
        }

        if (connection.IsDead)
        {
            // Perhaps it died before it was current, when OnFault could not withdraw it.
            OnFault(connection, new IOException("it was closed at once"), []);
        }
    }

    private void OnConnectFailed(RedisConnectionException failure)
    {
        RedisCommand[] refused = [];
        lock (_gate)
        {
            _lastFailure = failure;
            if (failure.IsRefusal || _options.FailFastWhileDisconnected)
            {
                refused = [.. _waiting];
                _waiting.Clear();
            }
        }

        foreach (RedisCommand command in refused)
        {
            command.Fail(new RedisConnectionException($"{command.Name} was not sent. {failure.Message}", failure) { IsRefusal = failure.IsRefusal });
        }
    }

    private void Tick()
    {
        long nowMs = Environment.TickCount64;
        _current?.CheckTimeouts(nowMs);
        List<RedisCommand>? due = null;
        List<RedisCommand>? late = null;
        RedisConnectionException? failure;
        lock (_gate)
        {
            failure = _lastFailure;
            for (int i = _waiting.Count; i > 0; i--)
            {
                RedisCommand command = _waiting.Dequeue();
                if (command.DeadlineMs <= nowMs || command.IsCompleted)
                {
                    (late ??= []).Add(command);
                }
                else
                {
                    _waiting.Enqueue(command);
                }
            }

            for (int i = _retrying.Count - 1; i >= 0; i--)
            {
                if (_retrying[i].RetryAtMs <= nowMs)
                {
                    (due ??= []).Add(_retrying[i]);
                    _retrying.RemoveAt(i);
                }
            }
        }

        foreach (RedisCommand command in late ?? [])
        {
            command.Fail(new RedisTimeoutException($"{command.Name} waited {command.TimeoutMs} ms for a connection and was not sent. {failure?.Message ?? $"{_options.Endpoint} has not answered yet."}", failure));
        }

        due?.Reverse();
        foreach (RedisCommand command in due ?? [])
        {
            Submit(command);
        }
    }

    private static long Backoff(TimeSpan first, TimeSpan longest, int failures)
    {
        double fullMs = Math.Min(longest.TotalMilliseconds, first.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 30)));
        return (long)(fullMs * (0.5 + (Random.Shared.NextDouble() / 2)));
    }
}
