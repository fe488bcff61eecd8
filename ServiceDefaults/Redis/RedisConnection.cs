using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>
/// One socket that has said HELLO. Commands are appended in the order of the calls and answered in that order;
/// once anything goes wrong the connection is dead, since later replies could not be told apart.
/// </summary>
internal sealed class RedisConnection : IThreadPoolWorkItem
{
    private readonly RedisLink _link;
    private readonly RedisOptions _options;
    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly RespParser _parser;
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Commands whose replies are due, oldest first: a ring.
    private RedisCommand[] _due = new RedisCommand[64];
    private int _dueHead;
    private int _dueCount;

    // Callers append to the back buffer while the front one is being sent.
    private byte[] _back = new byte[16 << 10];
    private byte[] _front = new byte[16 << 10];
    private int _backLength;
    private long _appended;
    private long _handedOver;
    private bool _sending;
    private bool _flushQueued;
    private Exception? _fault;

    public RedisConnection(RedisLink link, RedisOptions options, Socket socket, Stream stream)
    {
        _link = link;
        _options = options;
        _socket = socket;
        _stream = stream;
        _parser = new RespParser(options.Limits);
    }

    /// <summary>Ends when the connection is dead and all its commands are settled or given back to the link.</summary>
    public Task Closed => _closed.Task;

    public bool IsDead
    {
        get
        {
            lock (_gate)
            {
                return _fault is not null;
            }
        }
    }

    public void StartReading() => _ = ReadAsync();

    /// <summary>Appends a command and sees to it that it is sent.</summary>
    /// <returns>False when the connection is dead and the command still belongs to the caller.</returns>
    public bool TrySend(RedisCommand command)
    {
        bool sendHere = false;
        bool sendLater = false;
        lock (_gate)
        {
            if (_fault is not null)
            {
                return false;
            }

            ReadOnlySpan<byte> bytes = command.Bytes;
            if (_backLength > 0 && (long)_backLength + bytes.Length > _options.Limits.MaxUnsentBytes)
            {
                command.Fail(new RedisConnectionException($"{command.Name} was not sent to {_options.Endpoint}: {_backLength} bytes of earlier commands wait and {_options.Limits.MaxUnsentBytes} may (RedisLimits.MaxUnsentBytes); the server is too slow."));
                return true;
            }

            command.OnSending();
            command.StartOffset = _appended;
            Append(bytes);
            if (_dueCount == _due.Length)
            {
                GrowDue();
            }

            _due[(_dueHead + _dueCount++) & (_due.Length - 1)] = command;
            if (!_sending)
            {
                // Alone: send at once, for latency. Others are under way: let what comes meanwhile join, for throughput.
                if (_dueCount == 1)
                {
                    _sending = sendHere = true;
                }
                else if (!_flushQueued)
                {
                    _flushQueued = sendLater = true;
                }
            }
        }

        if (sendHere)
        {
            _ = SendAsync();
        }
        else if (sendLater)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        return true;
    }

    void IThreadPoolWorkItem.Execute()
    {
        lock (_gate)
        {
            _flushQueued = false;
            if (_sending)
            {
                return;
            }

            _sending = true;
        }

        _ = SendAsync();
    }

    /// <summary>Kills the connection when a reply is overdue: which reply comes next would be unknown.</summary>
    public void CheckTimeouts(long nowMs)
    {
        RedisCommand? late = null;
        lock (_gate)
        {
            for (int i = 0; i < _dueCount && late is null; i++)
            {
                RedisCommand command = _due[(_dueHead + i) & (_due.Length - 1)];
                late = command.DeadlineMs <= nowMs ? command : null;
            }
        }

        if (late is not null)
        {
            Fault(new RedisTimeoutException($"A reply from {_options.Endpoint} was overdue."));
        }
    }

    public void Fault(Exception reason)
    {
        var unsent = new List<RedisCommand>();
        var written = new List<RedisCommand>();
        lock (_gate)
        {
            if (_fault is not null)
            {
                return;
            }

            _fault = reason;
            for (int i = 0; i < _dueCount; i++)
            {
                RedisCommand command = _due[(_dueHead + i) & (_due.Length - 1)];
                (command.StartOffset >= _handedOver ? unsent : written).Add(command);
            }

            _due = [];
            _dueCount = 0;
            _backLength = 0;
        }

        _socket.Dispose();
        RedisMetrics.Faults.Add(1);
        _link.OnFault(this, reason, unsent);
        long now = Environment.TickCount64;
        foreach (RedisCommand command in written)
        {
            command.Fail(command.DeadlineMs <= now
                ? new RedisTimeoutException($"{command.Name} had no reply from {_options.Endpoint} within {command.TimeoutMs + command.BlockMs} ms; its effect is unknown. The connection is made anew.", reason) { EffectUnknown = true }
                : new RedisConnectionException($"The connection to {_options.Endpoint} broke before {command.Name} was answered; its effect is unknown, retry only what may happen twice.", reason) { EffectUnknown = true });
        }

        _closed.TrySetResult();
    }

    private async Task SendAsync()
    {
        try
        {
            while (true)
            {
                ReadOnlyMemory<byte> chunk;
                lock (_gate)
                {
                    if (_backLength == 0)
                    {
                        _sending = false;
                        return;
                    }

                    (_front, _back) = (_back, _front);
                    chunk = _front.AsMemory(0, _backLength);
                    _backLength = 0;
                    Volatile.Write(ref _handedOver, _appended);
                    if (_back.Length > 1 << 20)
                    {
                        _back = new byte[16 << 10];
                    }
                }

                await _stream.WriteAsync(chunk).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            Fault(e);
        }
    }

    private async Task ReadAsync()
    {
        PipeReader reader = PipeReader.Create(_stream, new StreamPipeReaderOptions(bufferSize: 64 << 10, minimumReadSize: 4 << 10));
        try
        {
            while (true)
            {
                ReadResult read = await reader.ReadAsync().ConfigureAwait(false);
                SequencePosition consumed = Deliver(read.Buffer);
                reader.AdvanceTo(consumed, read.Buffer.End);
                if (read.IsCompleted)
                {
                    throw new EndOfStreamException($"{_options.Endpoint} closed the connection.");
                }
            }
        }
        catch (Exception e)
        {
            Fault(e);
        }
        finally
        {
            await DisposeReaderAsync(reader).ConfigureAwait(false);
        }
    }

    private static async Task DisposeReaderAsync(PipeReader reader)
    {
        try
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException or SocketException)
        {
            // The socket is gone already; TLS could not say goodbye on it.
        }
    }

    private SequencePosition Deliver(in ReadOnlySequence<byte> buffer)
    {
        // What is in the buffer can answer only what was sent before it was read. Callers go on as soon as they have their
        // replies, so their next commands may be due before the rest of the buffer is looked at.
        long sentBefore = Volatile.Read(ref _handedOver);
        var reader = new SequenceReader<byte>(buffer);
        while (_parser.TryRead(ref reader, out RespValue value))
        {
            if (value.Type == RespType.Push)
            {
                if (_link.OnPush(value) && TryTakeDue(sentBefore, byPush: true) is RedisCommand subscribe)
                {
                    subscribe.Complete(value);
                }

                continue;
            }

            RedisCommand command = TryTakeDue(sentBefore, byPush: false) ?? throw new RedisProtocolException($"{_options.Endpoint} sent a {value} that answers no command.");
            if (value.Type != RespType.Error || !_link.TryRetry(command, value))
            {
                command.Complete(value);
            }
        }

        return reader.Position;
    }

    private RedisCommand? TryTakeDue(long sentBefore, bool byPush)
    {
        lock (_gate)
        {
            if (_dueCount == 0 || _due[_dueHead].StartOffset >= sentBefore || (byPush && !_due[_dueHead].CompletesByPush))
            {
                return null;
            }

            RedisCommand command = _due[_dueHead];
            _due[_dueHead] = null!;
            _dueHead = (_dueHead + 1) & (_due.Length - 1);
            _dueCount--;
            return command;
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (_back.Length - _backLength < bytes.Length)
        {
            Array.Resize(ref _back, Math.Max(checked(_backLength + bytes.Length), (int)Math.Min(_back.Length * 2L, Array.MaxLength)));
        }

        bytes.CopyTo(_back.AsSpan(_backLength));
        _backLength += bytes.Length;
        _appended += bytes.Length;
    }

    private void GrowDue()
    {
        var larger = new RedisCommand[_due.Length * 2];
        for (int i = 0; i < _dueCount; i++)
        {
            larger[i] = _due[(_dueHead + i) & (_due.Length - 1)];
        }

        _due = larger;
        _dueHead = 0;
    }
}
