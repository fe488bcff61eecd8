using System.Globalization;
using System.Numerics;
using System.Text;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>
/// One RESP3 value, possibly a tree. It owns its bytes (each bulk string is one array of exactly its length),
/// so it may be kept for any time. Integers, booleans, doubles, nulls and <c>OK</c> cost no allocation.
/// </summary>
public readonly struct RespValue
{
    private readonly object? _object; // byte[] of strings and errors, RespValue[] of aggregates
    private readonly long _number;

    internal RespValue(RespType type, byte[] bytes)
    {
        Type = type;
        _object = bytes;
    }

    internal RespValue(RespType type, RespValue[] items)
    {
        Type = type;
        _object = items;
    }

    internal RespValue(RespType type, long number)
    {
        Type = type;
        _number = number;
    }

    internal RespValue(double value)
    {
        Type = RespType.Double;
        _number = BitConverter.DoubleToInt64Bits(value);
    }

    /// <summary>What this value is.</summary>
    public RespType Type { get; }

    /// <summary>True for a null of any wire form.</summary>
    public bool IsNull => Type == RespType.Null;

    /// <summary>Items of an array, set or push; keys and values in turn of a map; empty for a null.</summary>
    /// <exception cref="RedisProtocolException">The value is not an aggregate.</exception>
    public ReadOnlySpan<RespValue> Items => _object as RespValue[] ?? (IsNull ? [] : throw Unexpected("an array or map"));

    /// <summary>Bytes of a string, big number or error; empty for a null. Without the format of a verbatim string.</summary>
    /// <exception cref="RedisProtocolException">The value is not a string.</exception>
    public ReadOnlyMemory<byte> AsBytes() =>
        _object is byte[] bytes ? (Type == RespType.VerbatimString ? bytes.AsMemory(4) : bytes) : IsNull ? default : throw Unexpected("a string");

    /// <summary>Text of a string or number, null for a null. Invalid UTF-8 becomes U+FFFD.</summary>
    /// <exception cref="RedisProtocolException">The value is an aggregate.</exception>
    public string? AsString() => Type switch
    {
        RespType.Null => null,
        RespType.Integer => _number.ToString(CultureInfo.InvariantCulture),
        RespType.Double => AsDouble().ToString("R", CultureInfo.InvariantCulture),
        RespType.Boolean => _number != 0 ? "true" : "false",
        _ => Encoding.UTF8.GetString(AsBytes().Span),
    };

    /// <summary>The three letters in front of a verbatim string (<c>txt</c>, <c>mkd</c>); null otherwise.</summary>
    public string? VerbatimFormat => Type == RespType.VerbatimString ? Encoding.ASCII.GetString((byte[])_object!, 0, 3) : null;

    /// <summary>A number from an integer, a boolean, or a string of digits.</summary>
    /// <exception cref="RedisProtocolException">The value is no 64-bit number.</exception>
    public long AsInt64()
    {
        if (Type is RespType.Integer or RespType.Boolean)
        {
            return _number;
        }

        return _object is byte[] && long.TryParse(AsBytes().Span, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long parsed)
            ? parsed
            : throw Unexpected("a 64-bit integer");
    }

    /// <summary>A double from a double, an integer, or a string that spells one.</summary>
    /// <exception cref="RedisProtocolException">The value is no number.</exception>
    public double AsDouble() => Type switch
    {
        RespType.Double => BitConverter.Int64BitsToDouble(_number),
        RespType.Integer => _number,
        _ => _object is byte[] && double.TryParse(AsBytes().Span, NumberStyles.Float, CultureInfo.InvariantCulture, out double parsed)
            ? parsed
            : throw Unexpected("a double"),
    };

    /// <summary>True or false from a boolean or an integer.</summary>
    /// <exception cref="RedisProtocolException">The value is neither.</exception>
    public bool AsBoolean() => Type is RespType.Boolean or RespType.Integer ? _number != 0 : throw Unexpected("a boolean");

    /// <summary>An integer of any size.</summary>
    /// <exception cref="RedisProtocolException">The value is no integer.</exception>
    public BigInteger AsBigInteger() => Type == RespType.BigNumber
        ? BigInteger.Parse(AsString()!, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)
        : AsInt64();

    /// <summary>Finds the value of a key in a map, or in an array of keys and values in turn.</summary>
    public bool TryGetField(ReadOnlySpan<byte> key, out RespValue value)
    {
        ReadOnlySpan<RespValue> items = Items;
        for (int i = 0; i + 1 < items.Length; i += 2)
        {
            if (items[i]._object is byte[] candidate && candidate.AsSpan().SequenceEqual(key))
            {
                value = items[i + 1];
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>The value of a key that has to be there.</summary>
    /// <exception cref="RedisProtocolException">The key is missing.</exception>
    public RespValue Field(ReadOnlySpan<byte> key) =>
        TryGetField(key, out RespValue value) ? value : throw new RedisProtocolException($"The reply has no field '{Encoding.UTF8.GetString(key)}'; the server may be too old (Redis 6.2 or newer is needed).");

    /// <summary>The kind of value, with its length rather than its content, which may be private.</summary>
    public override string ToString() => _object switch
    {
        byte[] bytes => $"{Type} of {bytes.Length} bytes",
        RespValue[] items => $"{Type} of {items.Length} items",
        _ => Type.ToString(),
    };

    private RedisProtocolException Unexpected(string wanted) =>
        new($"The reply is a {this} where {wanted} was expected; the key may hold another kind of data.");
}
