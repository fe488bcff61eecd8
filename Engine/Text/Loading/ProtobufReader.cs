using System.Buffers.Binary;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads the fields of one protobuf message, one after the other. Nothing is copied; every length is checked before it is used.</summary>
/// <remarks>https://protobuf.dev/programming-guides/encoding; groups, which protobuf itself has given up, are refused.</remarks>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, string source)
{
    private const int MaxVarintBytes = 10;
    private readonly string _source = source;
    private ReadOnlySpan<byte> _rest = message;
    private ulong _number;
    private ReadOnlySpan<byte> _bytes;
    private WireType _wireType;

    private enum WireType
    {
        Varint = 0,
        Fixed64 = 1,
        Length = 2,
        Fixed32 = 5,
    }

    /// <summary>Number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>The current field as integer.</summary>
    /// <exception cref="TokenizerFormatException">The field has another type, or does not fit.</exception>
    public readonly int Int32 => _wireType == WireType.Varint && (long)_number is >= int.MinValue and <= int.MaxValue
        ? (int)_number
        : throw Damaged($"field {Field} is not a 32-bit integer");

    /// <summary>The current field as truth value.</summary>
    /// <exception cref="TokenizerFormatException">The field has another type.</exception>
    public readonly bool Boolean => _wireType == WireType.Varint ? _number != 0 : throw Damaged($"field {Field} is not a truth value");

    /// <summary>The current field as float32.</summary>
    /// <exception cref="TokenizerFormatException">The field has another type.</exception>
    public readonly float Single => _wireType == WireType.Fixed32 ? BitConverter.UInt32BitsToSingle((uint)_number) : throw Damaged($"field {Field} is not a float");

    /// <summary>The current field as bytes: a string, or a message within.</summary>
    /// <exception cref="TokenizerFormatException">The field has another type.</exception>
    public readonly ReadOnlySpan<byte> Bytes => _wireType == WireType.Length ? _bytes : throw Damaged($"field {Field} has no bytes");

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="TokenizerFormatException">The message is cut off or is no protobuf.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = ReadVarint();
        if (tag >> 3 is 0 or > int.MaxValue)
        {
            throw Damaged($"field number {tag >> 3} is out of range");
        }

        Field = (int)(tag >> 3);
        _wireType = (WireType)(tag & 7);
        switch (_wireType)
        {
            case WireType.Varint:
                _number = ReadVarint();
                break;
            case WireType.Fixed64:
                _number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case WireType.Fixed32:
                _number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            case WireType.Length:
                _bytes = Take(ReadVarint());
                break;
            default:
                throw Damaged($"field {Field} has the unknown wire type {tag & 7}");
        }

        return true;
    }

    private ulong ReadVarint()
    {
        var value = 0UL;
        for (var i = 0; i < MaxVarintBytes && i < _rest.Length; i++)
        {
            value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
            if (_rest[i] < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }

        throw Damaged(_rest.Length < MaxVarintBytes ? "it is cut off within a number" : $"a number has more than {MaxVarintBytes} bytes");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)_rest.Length)
        {
            throw Damaged($"field {Field} asks for {count:N0} bytes, but {_rest.Length:N0} are left");
        }

        var taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }

    private readonly TokenizerFormatException Damaged(string what) => new($"{_source}: {what}; fetch the file again.");
}
