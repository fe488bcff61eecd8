using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Threading.Tasks.Sources;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>
/// One call: its bytes on the wire and the source of its result. Pooled; it has two owners, the caller who awaits
/// the result and the link that may still expect a reply, and goes back to the pool when both are done with it.
/// </summary>
internal sealed class RedisCommand : IValueTaskSource<RespValue>
{
    private const int KeptBytes = 2048;
    private readonly RedisCommandPool _pool;
    private ManualResetValueTaskSourceCore<RespValue> _core = new() { RunContinuationsAsynchronously = true };
    private byte[] _kept = new byte[256];
    private byte[] _bytes;
    private int _length;
    private int _completed;
    private int _consumed;
    private int _owners;
    private CancellationTokenRegistration _registration;
    private CancellationToken _cancellation;
    private RedisLink? _link;

    public RedisCommand(RedisCommandPool pool)
    {
        _pool = pool;
        _bytes = _kept;
    }

    /// <summary>When the call times out, in milliseconds of <see cref="Environment.TickCount64"/>.</summary>
    public long DeadlineMs { get; private set; }

    /// <summary>When a call that was answered LOADING or the like is tried again, on the same clock.</summary>
    public long RetryAtMs { get; set; }

    /// <summary>How often it was tried again.</summary>
    public int Retries { get; set; }

    /// <summary>Where its bytes begin in what the connection sends.</summary>
    public long StartOffset { get; set; }

    /// <summary>True for SUBSCRIBE, which RESP3 answers by a push.</summary>
    public bool CompletesByPush { get; set; }

    /// <summary>How long the server itself waits, for a blocking command; this time begins when the command is sent.</summary>
    public int BlockMs { get; set; }

    public int TimeoutMs { get; private set; }

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    public bool IsCompleted => Volatile.Read(ref _completed) != 0;

    /// <summary>First word of the command, for messages. Arguments never appear in them.</summary>
    public string Name
    {
        get
        {
            ReadOnlySpan<byte> rest = Bytes[(Bytes.IndexOf((byte)'\n') + 1)..];
            rest = rest[(rest.IndexOf((byte)'\n') + 1)..];
            return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)'\r')]);
        }
    }

    /// <summary>Begins a command of so many words, its name included; exactly so many <c>Add</c> must follow.</summary>
    public RedisCommand Begin(int words)
    {
        _owners = 2;
        Header((byte)'*', words);
        return this;
    }

    public RedisCommand Add(ReadOnlySpan<byte> bytes)
    {
        Header((byte)'$', bytes.Length);
        Span<byte> target = Room(bytes.Length + 2);
        bytes.CopyTo(target);
        "\r\n"u8.CopyTo(target[bytes.Length..]);
        _length += bytes.Length + 2;
        return this;
    }

    public RedisCommand Add(string text)
    {
        int count = Encoding.UTF8.GetByteCount(text);
        Header((byte)'$', count);
        Span<byte> target = Room(count + 2);
        Encoding.UTF8.GetBytes(text, target);
        "\r\n"u8.CopyTo(target[count..]);
        _length += count + 2;
        return this;
    }

    public RedisCommand Add(long number)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(number, digits, out int count);
        return Add(digits[..count]);
    }

    public RedisCommand Add(RedisArg arg)
    {
        arg.WriteTo(this);
        return this;
    }

    /// <summary>Hands the command to a link; from here on only the returned task may be touched by the caller.</summary>
    public ValueTask<RespValue> Start(RedisLink link, int timeoutMs, CancellationToken cancellationToken)
    {
        TimeoutMs = timeoutMs;
        DeadlineMs = Environment.TickCount64 + timeoutMs;
        _link = link;
        var task = new ValueTask<RespValue>(this, _core.Version);
        if (cancellationToken.CanBeCanceled)
        {
            _cancellation = cancellationToken;
            _registration = cancellationToken.UnsafeRegister(static state => ((RedisCommand)state!).Cancel(), this);
        }

        return task;
    }

    /// <summary>The command is being sent: from now on the server may use its block time.</summary>
    public void OnSending()
    {
        if (BlockMs > 0)
        {
            DeadlineMs = Environment.TickCount64 + TimeoutMs + BlockMs;
        }
    }

    public void Complete(in RespValue value)
    {
        if (Interlocked.Exchange(ref _completed, 1) == 0)
        {
            if (value.Type == RespType.Error)
            {
                _core.SetException(new RedisServerException(value.AsString()!));
            }
            else
            {
                _core.SetResult(value);
            }
        }

        Release();
    }

    public void Fail(Exception error)
    {
        if (Interlocked.Exchange(ref _completed, 1) == 0)
        {
            _core.SetException(error);
        }

        Release();
    }

    /// <summary>One of the two owners is done with the command.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
        {
            Recycle();
        }
    }

    RespValue IValueTaskSource<RespValue>.GetResult(short token)
    {
        // The command may be another call's by now, so misuse must not reach the state below.
        if (_core.GetStatus(token) == ValueTaskSourceStatus.Pending || Interlocked.Exchange(ref _consumed, 1) != 0)
        {
            throw new InvalidOperationException("The result of a Redis call was taken before it was there, or twice; await each call exactly once, or use AsTask().");
        }

        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            // Waits for a cancel that is running, so that none can hit the command in its next life.
            _registration.Dispose();
            Release();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<RespValue>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<RespValue>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Cancel()
    {
        if (Interlocked.Exchange(ref _completed, 1) == 0)
        {
            RedisLink? link = _link;
            _core.SetException(new OperationCanceledException(_cancellation));
            link?.OnCancelled();
        }
    }

    private void Recycle()
    {
        _core.Reset();
        _registration = default;
        _cancellation = default;
        _link = null;
        if (!ReferenceEquals(_bytes, _kept))
        {
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = _kept;
        }

        _length = 0;
        _consumed = 0;
        Retries = 0;
        BlockMs = 0;
        CompletesByPush = false;
        Volatile.Write(ref _completed, 0);
        _pool.Return(this);
    }

    private void Header(byte type, int count)
    {
        Span<byte> target = Room(16);
        target[0] = type;
        Utf8Formatter.TryFormat(count, target[1..], out int digits);
        target[digits + 1] = (byte)'\r';
        target[digits + 2] = (byte)'\n';
        _length += digits + 3;
    }

    private Span<byte> Room(int bytes)
    {
        if (_bytes.Length - _length < bytes)
        {
            int wanted = checked(_length + bytes);
            byte[] larger;
            if (wanted <= KeptBytes)
            {
                larger = new byte[Math.Min(KeptBytes, Math.Max(wanted, _bytes.Length * 2))];
            }
            else
            {
                larger = ArrayPool<byte>.Shared.Rent(Math.Max(wanted, _bytes.Length * 2));
            }

            _bytes.AsSpan(0, _length).CopyTo(larger);
            if (wanted <= KeptBytes)
            {
                _kept = larger;
            }
            else if (!ReferenceEquals(_bytes, _kept))
            {
                ArrayPool<byte>.Shared.Return(_bytes);
            }

            _bytes = larger;
        }

        return _bytes.AsSpan(_length);
    }
}
