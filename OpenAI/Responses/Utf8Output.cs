using System.Buffers;
using System.Buffers.Text;
using System.Text.Unicode;

namespace Fastgen.OpenAI.Responses;

/// <summary>Appends UTF-8 straight into a pipe's memory, without allocation. Call <see cref="Commit"/> at the end.</summary>
/// <remarks>Utf8JsonWriter would validate, track depth and re-encode names for every one of ten thousand chunks a second.</remarks>
internal ref struct Utf8Output(IBufferWriter<byte> target)
{
    private const int MinimumSpanBytes = 512;

    /// <summary>Everything that JSON makes us escape; the rest of the text is copied as it is.</summary>
    private static readonly SearchValues<char> Escaped = SearchValues.Create(
        "\"\\\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1A\x1B\x1C\x1D\x1E\x1F");

    private readonly IBufferWriter<byte> _target = target;
    private Span<byte> _span;
    private int _used;

    public void Raw(scoped ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > _span.Length - _used)
        {
            Grow(utf8.Length);
        }

        utf8.CopyTo(_span[_used..]);
        _used += utf8.Length;
    }

    public void Number(long value)
    {
        const int MaxDigits = 20;
        if (_span.Length - _used < MaxDigits)
        {
            Grow(MaxDigits);
        }

        Utf8Formatter.TryFormat(value, _span[_used..], out int written);
        _used += written;
    }

    /// <summary>A log probability; JSON knows no infinity, so OpenAI's floor of -9999 stands for it.</summary>
    public void Logprob(float value)
    {
        const int MaxCharacters = 32;
        if (_span.Length - _used < MaxCharacters)
        {
            Grow(MaxCharacters);
        }

        float shown = float.IsFinite(value) ? value : -9999f;
        shown.TryFormat(_span[_used..], out int written, provider: System.Globalization.CultureInfo.InvariantCulture);
        _used += written;
    }

    /// <summary>The inside of a JSON string; half surrogate pairs become U+FFFD.</summary>
    public void Text(scoped ReadOnlySpan<char> text)
    {
        while (true)
        {
            int plain = text.IndexOfAny(Escaped);
            Encode(plain < 0 ? text : text[..plain]);
            if (plain < 0)
            {
                return;
            }

            Escape(text[plain]);
            text = text[(plain + 1)..];
        }
    }

    /// <summary>Hands everything to the pipe.</summary>
    public void Commit()
    {
        if (_used > 0)
        {
            _target.Advance(_used);
        }

        _span = default;
        _used = 0;
    }

    private void Encode(scoped ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            // Three bytes are the most that one UTF-16 unit takes.
            if (_span.Length - _used < Math.Min(text.Length, 64) * 3)
            {
                Grow(Math.Min(text.Length * 3, 4096));
            }

            Utf8.FromUtf16(text, _span[_used..], out int read, out int written);
            _used += written;
            text = text[read..];
        }
    }

    private void Escape(char character)
    {
        switch (character)
        {
            case '"':
                Raw("\\\""u8);
                break;
            case '\\':
                Raw("\\\\"u8);
                break;
            case '\n':
                Raw("\\n"u8);
                break;
            case '\r':
                Raw("\\r"u8);
                break;
            case '\t':
                Raw("\\t"u8);
                break;
            default:
                Raw("\\u00"u8);
                Raw([(byte)('0' + (character >> 4)), (byte)"0123456789abcdef"[character & 15]]);
                break;
        }
    }

    private void Grow(int bytes)
    {
        Commit();
        _span = _target.GetSpan(Math.Max(bytes, MinimumSpanBytes));
    }
}
