using System.Buffers.Binary;
using System.Text;

namespace Fastgen.Contracts.Wire;

/// <summary>
/// What a worker has to tell one gateway after a step: one entry of its reply stream. Numbers are LEB128, text is
/// UTF-8 with its length in front. Reusable; not thread-safe. <see cref="ReplyReader"/> reads it.
/// </summary>
public sealed class ReplyBatch
{
    private byte[] _bytes = new byte[4096];
    private int _length;

    /// <summary>The entry's content; valid until the batch changes.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, _length);

    /// <summary>Nothing has been added since the last <see cref="Clear"/>.</summary>
    public bool IsEmpty => _length == 0;

    /// <summary>Forgets the content and keeps the memory.</summary>
    public void Clear() => _length = 0;

    /// <summary>Adds news of a choice.</summary>
    /// <param name="ticket">The gateway's number for the request.</param>
    /// <param name="tokenOffset">Tokens of the choice before this event's.</param>
    /// <param name="textOffset">UTF-16 units of the choice's text before this event's.</param>
    public void Add(long ticket, int tokenOffset, int textOffset, GenerationEvent news)
    {
        ArgumentNullException.ThrowIfNull(news);
        ReplyFlags flags = ReplyFlags.None;
        flags |= news.Text.Length > 0 ? ReplyFlags.Text : 0;
        flags |= news.FinishReason is not null ? ReplyFlags.Finish : 0;
        flags |= news.Error is not null ? ReplyFlags.Error : 0;
        flags |= news.Logprobs is not null ? ReplyFlags.Logprobs : 0;
        flags |= news.Usage is not null ? ReplyFlags.Usage : 0;
        WriteByte((byte)flags);
        WriteNumber((ulong)ticket);
        WriteNumber((uint)news.Choice);
        WriteNumber((uint)tokenOffset);
        WriteNumber((uint)textOffset);
        WriteNumber((uint)news.TokenIds.Count);
        for (int i = 0; i < news.TokenIds.Count; i++)
        {
            WriteNumber((uint)news.TokenIds[i]);
        }

        if (news.Text.Length > 0)
        {
            WriteText(news.Text);
        }

        if (news.FinishReason is { } reason)
        {
            WriteByte((byte)reason);
        }

        if (news.Error is not null)
        {
            WriteText(news.Error);
        }

        if (news.Logprobs is not null)
        {
            WriteLogprobs(news.Logprobs);
        }

        if (news.Usage is { } usage)
        {
            WriteNumber((uint)usage.PromptTokens);
            WriteNumber((uint)usage.CompletionTokens);
            WriteNumber((uint)usage.CachedTokens);
        }
    }

    /// <summary>Adds the failure of a whole request.</summary>
    public void Add(long ticket, GenerationException failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        WriteByte((byte)ReplyFlags.Failure);
        WriteNumber((ulong)ticket);
        WriteByte((byte)failure.Kind);
        WriteText(failure.Message);
        WriteOptionalText(failure.Parameter);
        WriteOptionalText(failure.Code);
        WriteNumber((ulong)(failure.RetryAfter?.TotalMilliseconds ?? 0));
    }

    /// <summary>Gives a request back that its worker does not finish.</summary>
    public void Add(long ticket, ReleaseReason release)
    {
        WriteByte((byte)ReplyFlags.Release);
        WriteNumber((ulong)ticket);
        WriteByte((byte)release);
    }

    private void WriteLogprobs(IReadOnlyList<TokenLogprob> tokens)
    {
        WriteNumber((uint)tokens.Count);
        for (int i = 0; i < tokens.Count; i++)
        {
            TokenLogprob token = tokens[i];
            WriteLogprob(token);
            WriteNumber((uint)(token.Top?.Count ?? 0));
            for (int k = 0; k < (token.Top?.Count ?? 0); k++)
            {
                WriteLogprob(token.Top![k]);
            }
        }
    }

    private void WriteLogprob(TokenLogprob token)
    {
        WriteNumber((uint)token.TokenId);
        WriteText(token.Token);
        WriteNumber((uint)token.Bytes.Length);
        token.Bytes.CopyTo(Room(token.Bytes.Length));
        _length += token.Bytes.Length;
        BinaryPrimitives.WriteSingleLittleEndian(Room(sizeof(float)), token.Logprob);
        _length += sizeof(float);
    }

    private void WriteOptionalText(string? text)
    {
        WriteByte(text is null ? (byte)0 : (byte)1);
        if (text is not null)
        {
            WriteText(text);
        }
    }

    private void WriteText(string text)
    {
        int count = Encoding.UTF8.GetByteCount(text);
        WriteNumber((uint)count);
        _length += Encoding.UTF8.GetBytes(text, Room(count));
    }

    private void WriteByte(byte value)
    {
        Room(1)[0] = value;
        _length++;
    }

    private void WriteNumber(ulong value)
    {
        const int MaxBytes = 10;
        Span<byte> room = Room(MaxBytes);
        int count = 0;
        while (value >= 0x80)
        {
            room[count++] = (byte)(value | 0x80);
            value >>= 7;
        }

        room[count++] = (byte)value;
        _length += count;
    }

    private Span<byte> Room(int bytes)
    {
        if (_bytes.Length - _length < bytes)
        {
            Array.Resize(ref _bytes, Math.Max(_length + bytes, _bytes.Length * 2));
        }

        return _bytes.AsSpan(_length);
    }
}
