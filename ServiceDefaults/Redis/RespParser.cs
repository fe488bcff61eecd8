using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Fastgen.ServiceDefaults.Redis;

/// <summary>
/// Reads RESP3 values from bytes that arrive in pieces of any size. What was consumed is never read again, so
/// one byte at a time costs no more than all at once; memory grows with what arrived, not with what was announced.
/// </summary>
internal sealed class RespParser(RedisLimits limits)
{
    private const int ItemBytes = 24;
    private static readonly byte[] Ok = "OK"u8.ToArray();

    private Frame[] _stack = new Frame[4];
    private int _depth;
    private byte[]? _bulk;
    private int _bulkFilled;
    private int _bulkLength;
    private RespType _bulkType;
    private long _replyBytes;

    /// <summary>Reads one whole value, or as much of it as there is.</summary>
    /// <returns>False when more bytes are needed.</returns>
    /// <exception cref="RedisProtocolException">The bytes are not RESP3 or exceed a limit; the parser is unusable afterwards.</exception>
    public bool TryRead(ref SequenceReader<byte> reader, out RespValue value)
    {
        while (true)
        {
            RespValue item;
            if (_bulk is not null)
            {
                if (!TryFillBulk(ref reader, out item))
                {
                    value = default;
                    return false;
                }
            }
            else
            {
                Step step = ReadHeader(ref reader, out item);
                if (step == Step.NeedMore)
                {
                    value = default;
                    return false;
                }

                if (step == Step.Opened)
                {
                    continue;
                }
            }

            if (TryClose(item, out value))
            {
                _replyBytes = 0;
                return true;
            }
        }
    }

    /// <summary>Puts a finished item into the aggregate that waits for it, and that one into its own, as far as they are full.</summary>
    private bool TryClose(RespValue item, out RespValue value)
    {
        while (_depth > 0)
        {
            ref Frame frame = ref _stack[_depth - 1];
            if (frame.Count == frame.Items.Length)
            {
                Array.Resize(ref frame.Items, Math.Min(frame.Length, frame.Count * 2));
            }

            frame.Items[frame.Count++] = item;
            if (frame.Count < frame.Length)
            {
                value = default;
                return false;
            }

            RespValue[] items = frame.Items;
            bool dropped = frame.IsAttribute;
            RespType type = frame.Type;
            frame = default;
            _depth--;
            if (dropped)
            {
                // An attribute only annotates the value that follows it, which now takes its place.
                value = default;
                return false;
            }

            item = new RespValue(type, items);
        }

        value = item;
        return true;
    }

    private Step ReadHeader(ref SequenceReader<byte> reader, out RespValue item)
    {
        item = default;
        if (!reader.TryReadTo(out ReadOnlySpan<byte> line, "\r\n"u8))
        {
            return reader.Remaining <= limits.MaxLineBytes
                ? Step.NeedMore
                : throw new RedisProtocolException($"A line of the reply is longer than {limits.MaxLineBytes} bytes (RedisLimits.MaxLineBytes).");
        }

        if (line.Length == 0 || line.Length > limits.MaxLineBytes)
        {
            throw new RedisProtocolException(line.Length == 0 ? "The reply has an empty line where a type was expected." : $"A line of the reply is longer than {limits.MaxLineBytes} bytes (RedisLimits.MaxLineBytes).");
        }

        Count(line.Length + 2 + ItemBytes);
        ReadOnlySpan<byte> rest = line[1..];
        switch (line[0])
        {
            case (byte)'+':
                item = new RespValue(RespType.SimpleString, rest.SequenceEqual("OK"u8) ? Ok : rest.ToArray());
                return Step.Complete;
            case (byte)'-':
                item = new RespValue(RespType.Error, rest.ToArray());
                return Step.Complete;
            case (byte)':':
                item = new RespValue(RespType.Integer, Number(rest));
                return Step.Complete;
            case (byte)'_' when rest.IsEmpty:
                return Step.Complete;
            case (byte)'#' when rest.Length == 1 && rest[0] is (byte)'t' or (byte)'f':
                item = new RespValue(RespType.Boolean, rest[0] == (byte)'t' ? 1 : 0);
                return Step.Complete;
            case (byte)',':
                item = new RespValue(Double(rest));
                return Step.Complete;
            case (byte)'(':
                item = new RespValue(RespType.BigNumber, BigNumber(rest));
                return Step.Complete;
            case (byte)'$':
                return OpenBulk(RespType.BulkString, Number(rest));
            case (byte)'=':
                return OpenBulk(RespType.VerbatimString, Number(rest));
            case (byte)'!':
                return OpenBulk(RespType.Error, Number(rest));
            case (byte)'*':
                return OpenAggregate(RespType.Array, Number(rest), false, ref item);
            case (byte)'~':
                return OpenAggregate(RespType.Set, Number(rest), false, ref item);
            case (byte)'>':
                return OpenAggregate(RespType.Push, Number(rest), false, ref item);
            case (byte)'%':
                return OpenAggregate(RespType.Map, Pairs(rest), false, ref item);
            case (byte)'|':
                return OpenAggregate(RespType.Map, Pairs(rest), true, ref item);
            default:
                throw new RedisProtocolException($"The reply has a line of unknown type 0x{line[0]:x2} and {line.Length} bytes; the peer may not be a Redis server, or it speaks TLS.");
        }
    }

    private Step OpenBulk(RespType type, long length)
    {
        if (length == -1 && type == RespType.BulkString)
        {
            return Step.Complete; // the RESP2 null: item is already the default, which is null
        }

        if (length < (type == RespType.VerbatimString ? 4 : 0) || length > limits.MaxBulkBytes)
        {
            throw new RedisProtocolException($"The reply announces a string of {length} bytes but 0 to {limits.MaxBulkBytes} are allowed (RedisLimits.MaxBulkBytes).");
        }

        Count(length);
        _bulkType = type;
        _bulkLength = (int)length;
        _bulkFilled = 0;
        _bulk = length == 0 ? [] : new byte[Math.Min((int)length, 1 << 20)];
        return Step.Opened;
    }

    private bool TryFillBulk(ref SequenceReader<byte> reader, out RespValue item)
    {
        item = default;
        while (_bulkFilled < _bulkLength)
        {
            if (_bulkFilled == _bulk!.Length)
            {
                Array.Resize(ref _bulk, (int)Math.Min(_bulkLength, _bulk.Length * 2L));
            }

            int take = (int)Math.Min(reader.Remaining, _bulk.Length - _bulkFilled);
            if (take == 0)
            {
                return false;
            }

            reader.TryCopyTo(_bulk.AsSpan(_bulkFilled, take));
            reader.Advance(take);
            _bulkFilled += take;
        }

        if (reader.Remaining < 2)
        {
            return false;
        }

        if (!reader.IsNext("\r\n"u8, advancePast: true))
        {
            throw new RedisProtocolException($"A string of {_bulkLength} bytes in the reply does not end in CR LF.");
        }

        if (_bulkType == RespType.VerbatimString && _bulk![3] != (byte)':')
        {
            throw new RedisProtocolException("A verbatim string in the reply has no format.");
        }

        item = new RespValue(_bulkType, _bulk!);
        _bulk = null;
        return true;
    }

    private Step OpenAggregate(RespType type, long length, bool isAttribute, ref RespValue item)
    {
        if (length == -1 && type == RespType.Array)
        {
            return Step.Complete;
        }

        if (length < 0 || length > limits.MaxItems)
        {
            throw new RedisProtocolException($"The reply announces {length} items but 0 to {limits.MaxItems} are allowed (RedisLimits.MaxItems).");
        }

        if (length == 0)
        {
            item = new RespValue(type, Array.Empty<RespValue>());
            return isAttribute ? Step.Opened : Step.Complete;
        }

        if (_depth == limits.MaxDepth)
        {
            throw new RedisProtocolException($"The reply is nested deeper than {limits.MaxDepth} levels (RedisLimits.MaxDepth).");
        }

        if (_depth == _stack.Length)
        {
            Array.Resize(ref _stack, _stack.Length * 2);
        }

        _stack[_depth++] = new Frame { Type = type, IsAttribute = isAttribute, Length = (int)length, Items = new RespValue[Math.Min((int)length, 1024)] };
        return Step.Opened;
    }

    private void Count(long bytes)
    {
        _replyBytes += bytes;
        if (_replyBytes > limits.MaxReplyBytes)
        {
            throw new RedisProtocolException($"The reply is larger than {limits.MaxReplyBytes} bytes (RedisLimits.MaxReplyBytes).");
        }
    }

    private static long Number(ReadOnlySpan<byte> text) =>
        Utf8Parser.TryParse(text, out long number, out int used) && used == text.Length
            ? number
            : throw new RedisProtocolException($"The reply has a number of {text.Length} characters that is not a 64-bit integer.");

    private static long Pairs(ReadOnlySpan<byte> text)
    {
        long pairs = Number(text);
        return pairs is < 0 or > int.MaxValue ? throw new RedisProtocolException($"The reply announces a map of {pairs} pairs.") : pairs * 2;
    }

    private static double Double(ReadOnlySpan<byte> text)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
        {
            return number;
        }

        return Encoding.ASCII.GetString(text) switch
        {
            "inf" or "+inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            "nan" or "-nan" => double.NaN,
            _ => throw new RedisProtocolException($"The reply has a double of {text.Length} characters that is none."),
        };
    }

    private static byte[] BigNumber(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> digits = text.Length > 0 && text[0] is (byte)'-' or (byte)'+' ? text[1..] : text;
        return digits.IsEmpty || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            ? throw new RedisProtocolException($"The reply has a big number of {text.Length} characters that is none.")
            : text.ToArray();
    }

    private enum Step
    {
        NeedMore,
        Opened,
        Complete,
    }

    private struct Frame
    {
        public RespType Type;
        public bool IsAttribute;
        public int Length;
        public int Count;
        public RespValue[] Items;
    }
}
