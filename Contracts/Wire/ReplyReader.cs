using System.Buffers.Binary;
using System.Text;

namespace Fastgen.Contracts.Wire;

/// <summary>Reads the items of a <see cref="ReplyBatch"/>.</summary>
/// <param name="batch">An entry's content.</param>
public ref struct ReplyReader(ReadOnlySpan<byte> batch)
{
    private ReadOnlySpan<byte> _rest = batch;

    /// <summary>Reads the next item.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="InvalidDataException">The content is cut or is no batch.</exception>
    public bool TryRead(out ReplyItem item)
    {
        if (_rest.IsEmpty)
        {
            item = default;
            return false;
        }

        var flags = (ReplyFlags)ReadByte();
        long ticket = (long)ReadNumber();
        item = flags.HasFlag(ReplyFlags.Failure)
            ? new ReplyItem { Ticket = ticket, Failure = ReadFailure() }
            : flags.HasFlag(ReplyFlags.Release) ? new ReplyItem { Ticket = ticket, Release = (ReleaseReason)ReadByte() }
            : ReadEvent(ticket, flags);
        return true;
    }

    private ReplyItem ReadEvent(long ticket, ReplyFlags flags)
    {
        int choice = ReadInt();
        int tokenOffset = ReadInt();
        int textOffset = ReadInt();
        int[] tokens = NewArray<int>(ReadInt(), minimumBytes: 1);
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = ReadInt();
        }

        return new ReplyItem
        {
            Ticket = ticket,
            TokenOffset = tokenOffset,
            TextOffset = textOffset,
            // In the order of the bytes, which is the order in which C# evaluates these.
            Event = new GenerationEvent
            {
                Choice = choice,
                TokenIds = tokens,
                Text = flags.HasFlag(ReplyFlags.Text) ? ReadText() : "",
                FinishReason = flags.HasFlag(ReplyFlags.Finish) ? (FinishReason)ReadByte() : null,
                Error = flags.HasFlag(ReplyFlags.Error) ? ReadText() : null,
                Logprobs = flags.HasFlag(ReplyFlags.Logprobs) ? ReadLogprobs() : null,
                Usage = flags.HasFlag(ReplyFlags.Usage) ? new GenerationUsage(ReadInt(), ReadInt(), ReadInt()) : null,
            },
        };
    }

    private GenerationException ReadFailure()
    {
        var kind = (GenerationErrorKind)ReadByte();
        string message = ReadText();
        string? parameter = ReadByte() != 0 ? ReadText() : null;
        string? code = ReadByte() != 0 ? ReadText() : null;
        ulong retryAfterMs = ReadNumber();
        return new GenerationException(kind, message, parameter, code) { RetryAfter = retryAfterMs > 0 ? TimeSpan.FromMilliseconds(retryAfterMs) : null };
    }

    private TokenLogprob[] ReadLogprobs()
    {
        TokenLogprob[] tokens = NewArray<TokenLogprob>(ReadInt(), minimumBytes: 7);
        for (int i = 0; i < tokens.Length; i++)
        {
            TokenLogprob token = ReadLogprob();
            TokenLogprob[] top = NewArray<TokenLogprob>(ReadInt(), minimumBytes: 7);
            for (int k = 0; k < top.Length; k++)
            {
                top[k] = ReadLogprob();
            }

            tokens[i] = token with { Top = top };
        }

        return tokens;
    }

    private TokenLogprob ReadLogprob()
    {
        int id = ReadInt();
        string text = ReadText();
        byte[] bytes = Take(ReadInt()).ToArray();
        return new TokenLogprob(id, text, bytes, BinaryPrimitives.ReadSingleLittleEndian(Take(sizeof(float))), null);
    }

    private string ReadText() => Encoding.UTF8.GetString(Take(ReadInt()));

    /// <summary>A count that the rest cannot hold must not cost memory.</summary>
    private readonly T[] NewArray<T>(int count, int minimumBytes) =>
        (long)count * minimumBytes <= _rest.Length ? (count == 0 ? [] : new T[count]) : throw Damaged();

    private byte ReadByte() => Take(1)[0];

    private int ReadInt()
    {
        ulong value = ReadNumber();
        return value <= int.MaxValue ? (int)value : throw Damaged();
    }

    private ulong ReadNumber()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = ReadByte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Damaged();
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            throw Damaged();
        }

        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    private readonly InvalidDataException Damaged() =>
        new($"A reply batch is damaged {_rest.Length} bytes before its end; gateway and workers must be of the same version.");
}
