using System.Text;

namespace Fastgen.Engine.Text.Models;

/// <summary>The alphabet of byte-level tokenizers: each byte is one printable character below U+0144.</summary>
/// <remarks>Radford et al. 2019 (GPT-2), bytes_to_unicode: printable Latin-1 stands for itself, the rest follows from U+0100 on.</remarks>
internal static class ByteAlphabet
{
    private static readonly char[] CharOfByte = BuildChars();
    private static readonly short[] ByteOfChar = BuildBytes();

    /// <summary>The character that stands for a byte.</summary>
    public static char ToChar(byte value) => CharOfByte[value];

    /// <summary>The byte that a character stands for, or -1.</summary>
    public static int ToByte(char c) => c < ByteOfChar.Length ? ByteOfChar[c] : -1;

    /// <summary>Maps the UTF-8 bytes of a text.</summary>
    public static string Map(ReadOnlySpan<char> text)
    {
        var utf8 = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, utf8);
        return Map(utf8);
    }

    /// <summary>Maps bytes.</summary>
    public static string Map(byte[] bytes) => string.Create(bytes.Length, bytes, (chars, source) =>
    {
        for (var i = 0; i < source.Length; i++)
        {
            chars[i] = CharOfByte[source[i]];
        }
    });

    /// <summary>Appends the bytes that a token stands for; a token with any other character stands for its own UTF-8.</summary>
    public static void Unmap(string token, List<byte> bytes)
    {
        var start = bytes.Count;
        foreach (var c in token)
        {
            var value = ToByte(c);
            if (value < 0)
            {
                bytes.RemoveRange(start, bytes.Count - start);
                bytes.AddRange(Encoding.UTF8.GetBytes(token));
                return;
            }

            bytes.Add((byte)value);
        }
    }

    private static char[] BuildChars()
    {
        var chars = new char[256];
        var next = 256;
        for (var value = 0; value < 256; value++)
        {
            chars[value] = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)value : (char)next++;
        }

        return chars;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[CharOfByte.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (var value = 0; value < 256; value++)
        {
            bytes[CharOfByte[value]] = (short)value;
        }

        return bytes;
    }
}
