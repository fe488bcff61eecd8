namespace Fastgen.ServiceDefaults.Redis;

/// <summary>One word of a command: text, bytes or a number, without a copy. Bytes are read before the call returns.</summary>
public readonly struct RedisArg
{
    private readonly string? _text;
    private readonly long _number;
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly byte _kind; // 0 bytes, 1 text, 2 number

    private RedisArg(string text)
    {
        _text = text;
        _kind = 1;
    }

    private RedisArg(long number)
    {
        _number = number;
        _kind = 2;
    }

    private RedisArg(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    /// <summary>Text, sent as UTF-8.</summary>
    public static implicit operator RedisArg(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new(text);
    }

    /// <summary>A number, sent as decimal digits.</summary>
    public static implicit operator RedisArg(long number) => new(number);

    /// <summary>Bytes, sent as they are.</summary>
    public static implicit operator RedisArg(ReadOnlyMemory<byte> bytes) => new(bytes);

    /// <summary>Bytes, sent as they are.</summary>
    public static implicit operator RedisArg(byte[] bytes) => new(bytes);

    /// <summary>Same as the conversion from text.</summary>
    public static RedisArg FromString(string text) => text;

    /// <summary>Same as the conversion from a number.</summary>
    public static RedisArg FromInt64(long number) => number;

    /// <summary>Same as the conversion from bytes.</summary>
    public static RedisArg FromReadOnlyMemory(ReadOnlyMemory<byte> bytes) => bytes;

    /// <summary>Same as the conversion from bytes.</summary>
    public static RedisArg FromByteArray(byte[] bytes) => bytes;

    internal void WriteTo(RedisCommand command)
    {
        switch (_kind)
        {
            case 0:
                command.Add(_bytes.Span);
                break;
            case 1:
                command.Add(_text!);
                break;
            default:
                command.Add(_number);
                break;
        }
    }
}
