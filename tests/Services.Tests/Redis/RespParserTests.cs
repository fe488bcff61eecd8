using System.Buffers;
using System.Numerics;
using System.Text;
using Fastgen.ServiceDefaults.Redis;

namespace Fastgen.Services.Tests.Redis;

public sealed class RespParserTests
{
    /// <summary>One reply of every type, with what it must read as. Wire forms are from the RESP3 specification.</summary>
    private const string Everything =
        "*17\r\n+OK\r\n-ERR bad thing\r\n:-42\r\n$5\r\nhe\r\no\r\n$0\r\n\r\n_\r\n$-1\r\n*-1\r\n#t\r\n#f\r\n,-1.25e3\r\n,inf\r\n,nan\r\n" +
        "(3492890328409238509324850943850943825024385\r\n!9\r\nSYNTAX no\r\n=8\r\ntxt:a\r\nb\r\n%2\r\n+a\r\n~2\r\n:1\r\n:2\r\n$1\r\nb\r\n*0\r\n";

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(100000)]
    public void Every_type_is_read_whatever_the_pieces(int pieceBytes)
    {
        List<RespValue> values = Read(Everything + "|1\r\n+ttl\r\n:3600\r\n>2\r\n+pubsub\r\n:7\r\n|1\r\n+ttl\r\n:1\r\n:99\r\n", pieceBytes);

        Assert.Equal(3, values.Count);
        ReadOnlySpan<RespValue> all = values[0].Items;
        Assert.Equal("OK", all[0].AsString());
        Assert.Equal(RespType.Error, all[1].Type);
        Assert.Equal("ERR bad thing", all[1].AsString());
        Assert.Equal(-42, all[2].AsInt64());
        Assert.Equal("he\r\no", all[3].AsString());
        Assert.Equal(RespType.BulkString, all[4].Type);
        Assert.Equal(0, all[4].AsBytes().Length);
        Assert.True(all[5].IsNull && all[6].IsNull && all[7].IsNull);
        Assert.Null(all[6].AsString());
        Assert.True(all[8].AsBoolean());
        Assert.False(all[9].AsBoolean());
        Assert.Equal(-1250.0, all[10].AsDouble());
        Assert.Equal(double.PositiveInfinity, all[11].AsDouble());
        Assert.True(double.IsNaN(all[12].AsDouble()));
        Assert.Equal(BigInteger.Parse("3492890328409238509324850943850943825024385", System.Globalization.CultureInfo.InvariantCulture), all[13].AsBigInteger());
        Assert.Equal("SYNTAX no", all[14].AsString());
        Assert.Equal("a\r\nb", all[15].AsString());
        Assert.Equal("txt", all[15].VerbatimFormat);
        Assert.Equal(RespType.Map, all[16].Type);
        Assert.Equal(2, all[16].Field("a"u8).Items[1].AsInt64());
        Assert.Equal(RespType.Set, all[16].Field("a"u8).Type);
        Assert.Equal(0, all[16].Field("b"u8).Items.Length);
        Assert.Equal(RespType.Push, values[1].Type);
        Assert.Equal(99, values[2].AsInt64());
    }

    [Fact]
    public void Attributes_inside_aggregates_do_not_count_as_items()
    {
        RespValue value = Assert.Single(Read("*3\r\n:1\r\n|1\r\n+k\r\n*1\r\n:5\r\n:2\r\n|0\r\n:3\r\n", 1));
        Assert.Equal([1L, 2L, 3L], value.Items.ToArray().Select(v => v.AsInt64()));
    }

    [Theory]
    [InlineData("x\r\n")]
    [InlineData("\r\n")]
    [InlineData(":12a\r\n")]
    [InlineData(":\r\n")]
    [InlineData(":99999999999999999999\r\n")]
    [InlineData("#x\r\n")]
    [InlineData("_1\r\n")]
    [InlineData(",abc\r\n")]
    [InlineData("(12x\r\n")]
    [InlineData("(-\r\n")]
    [InlineData("$-2\r\n")]
    [InlineData("$3\r\nabcd\r\n")]
    [InlineData("$1001\r\n")]
    [InlineData("=3\r\nabc\r\n")]
    [InlineData("=5\r\nabcde\r\n")]
    [InlineData("*-2\r\n")]
    [InlineData("*101\r\n")]
    [InlineData("%51\r\n")]
    [InlineData("%9223372036854775807\r\n")]
    [InlineData("%-1\r\n")]
    [InlineData("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n")]
    [InlineData("$?\r\n")]
    public void Hostile_bytes_are_refused(string wire)
    {
        Assert.Throws<RedisProtocolException>(() => Read(wire, 100000, new RedisLimits { MaxBulkBytes = 1000, MaxItems = 100, MaxDepth = 4 }));
        Assert.Throws<RedisProtocolException>(() => Read(wire, 1, new RedisLimits { MaxBulkBytes = 1000, MaxItems = 100, MaxDepth = 4 }));
    }

    [Fact]
    public void Endless_lines_and_endless_attributes_are_refused()
    {
        var limits = new RedisLimits { MaxLineBytes = 100, MaxReplyBytes = 10_000 };
        Assert.Throws<RedisProtocolException>(() => Read("+" + new string('a', 200), 10, limits));
        Assert.Throws<RedisProtocolException>(() => Read("+" + new string('a', 200) + "\r\n", 1000, limits));
        Assert.Throws<RedisProtocolException>(() => Read(string.Concat(Enumerable.Repeat("|1\r\n+a\r\n+b\r\n", 1000)), 50, limits));
        Assert.Throws<RedisProtocolException>(() => Read("*1000000\r\n" + string.Concat(Enumerable.Repeat(":1\r\n", 1000)), 50, limits));
    }

    [Fact]
    public void Announced_but_unsent_megabytes_cost_no_memory()
    {
        var limits = new RedisLimits { MaxBulkBytes = 1 << 30, MaxItems = 1 << 28, MaxReplyBytes = long.MaxValue };
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Empty(Read("*268435456\r\n*268435456\r\n$1073741824\r\nabc", 1000, limits));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
    }

    [Fact]
    public void Random_bytes_never_do_anything_but_parse_or_refuse()
    {
        var random = new Random(12345);
        string alphabet = "+-:$*~>%|#_,(=!\r\n0123456789tfabc";
        int refused = 0;
        for (int round = 0; round < 20_000; round++)
        {
            string wire = string.Concat(Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(4) == 0 ? "\r\n" : alphabet[random.Next(alphabet.Length)].ToString()));
            try
            {
                Read(wire, random.Next(1, 20), new RedisLimits { MaxBulkBytes = 1000, MaxItems = 100, MaxDepth = 4 });
            }
            catch (RedisProtocolException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1000, 20_000);
    }

    [Fact]
    public void Wrong_kinds_of_reply_are_named_without_their_content()
    {
        RespValue secret = Assert.Single(Read("$6\r\nsecret\r\n", 100));
        RedisProtocolException error = Assert.Throws<RedisProtocolException>(() => secret.AsInt64());
        Assert.Contains("BulkString of 6 bytes", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
        Assert.Throws<RedisProtocolException>(() => secret.Items.Length);
    }

    /// <summary>Feeds the bytes as a pipe does: what is not consumed comes again, with more behind it, in odd segments.</summary>
    private static List<RespValue> Read(string wire, int pieceBytes, RedisLimits? limits = null)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(wire);
        var parser = new RespParser(limits ?? new RedisLimits());
        var values = new List<RespValue>();
        int consumed = 0;
        for (int end = Math.Min(pieceBytes, bytes.Length); ; end = Math.Min(end + pieceBytes, bytes.Length))
        {
            var reader = new SequenceReader<byte>(Segments(bytes.AsMemory(consumed, end - consumed), pieceBytes));
            while (parser.TryRead(ref reader, out RespValue value))
            {
                values.Add(value);
            }

            consumed += (int)reader.Consumed;
            if (end == bytes.Length)
            {
                return values;
            }
        }
    }

    private static ReadOnlySequence<byte> Segments(ReadOnlyMemory<byte> bytes, int pieceBytes)
    {
        var first = new Segment(bytes[..Math.Min(pieceBytes, bytes.Length)], 0);
        Segment last = first;
        for (int at = pieceBytes; at < bytes.Length; at += pieceBytes)
        {
            last = last.Append(bytes.Slice(at, Math.Min(pieceBytes, bytes.Length - at)));
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long runningIndex)
        {
            Memory = memory;
            RunningIndex = runningIndex;
        }

        public Segment Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
