using System.Buffers;
using System.Text;
using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.Text.Normalizers;

/// <summary>SentencePiece's own normalizer: character map, extra spaces, visible spaces and the one in front.</summary>
/// <remarks>
/// Kudo and Richardson 2018; as <c>normalizer.cc</c> does it. What stands between added tokens comes part by part: in the
/// legacy behaviour of HuggingFace's Llama tokenizer each part gets a space in front, else only the one that begins the text.
/// </remarks>
internal sealed class SentencePieceNormalizer(SentencePieceRules rules, PieceTrie userDefined) : Normalizer
{
    private const char Metaspace = '\u2581';
    private readonly bool _plain = rules.Map is null && !rules.RemoveExtraSpaces && userDefined.IsEmpty;

    private static ReadOnlySpan<byte> MetaspaceUtf8 => [0xE2, 0x96, 0x81];

    /// <inheritdoc/>
    public override string Normalize(string text) => Normalize(text, atStart: true);

    /// <inheritdoc/>
    public override string Normalize(string text, bool atStart)
    {
        var addsPrefix = rules.AddPrefix;
        var stripsLeading = rules.RemoveExtraSpaces;
        if (rules.PrefixAtStartOnly && text.Length > 0)
        {
            // The prefix is text like any other here, is not put before a space, and spaces at the begin of a part stay.
            text = text.Replace(Metaspace, ' ');
            text = atStart && addsPrefix && !rules.SpaceIsSuffix && text[0] != ' ' ? Metaspace + text : text;
            addsPrefix = false;
            stripsLeading &= text[0] is not (' ' or Metaspace);
        }

        if (text.Length == 0)
        {
            return text;
        }

        if (_plain)
        {
            var space = rules.EscapeSpaces ? Metaspace : ' ';
            var prefix = addsPrefix && !rules.SpaceIsSuffix ? space.ToString() : "";
            var suffix = addsPrefix && rules.SpaceIsSuffix ? space.ToString() : "";
            return string.Concat(prefix, text.Replace(' ', space), suffix);
        }

        return Rewrite(Encoding.UTF8.GetBytes(text), addsPrefix, stripsLeading);
    }

    private string Rewrite(ReadOnlySpan<byte> text, bool addsPrefix, bool stripsLeading)
    {
        var output = new ArrayBufferWriter<byte>(text.Length + 16);
        var afterSpace = stripsLeading;
        while (stripsLeading && !text.IsEmpty)
        {
            var used = NextPart(text, out var part);
            if (!part.SequenceEqual(" "u8))
            {
                break;
            }

            text = text[used..];
        }

        if (text.IsEmpty)
        {
            return "";
        }

        if (addsPrefix && !rules.SpaceIsSuffix)
        {
            WriteSpace(output);
        }

        while (!text.IsEmpty)
        {
            var used = NextPart(text, out var part);
            part = afterSpace ? part.TrimStart((byte)' ') : part;
            foreach (var value in part)
            {
                if (value == ' ')
                {
                    WriteSpace(output);
                }
                else
                {
                    output.Write([value]);
                }
            }

            afterSpace = rules.RemoveExtraSpaces && (part.IsEmpty ? afterSpace : part[^1] == ' ');
            text = text[used..];
        }

        var result = output.WrittenSpan;
        var space = rules.EscapeSpaces ? MetaspaceUtf8 : " "u8;
        while (rules.RemoveExtraSpaces && result.EndsWith(space))
        {
            result = result[..^space.Length];
        }

        return string.Concat(Encoding.UTF8.GetString(result), addsPrefix && rules.SpaceIsSuffix ? Encoding.UTF8.GetString(space) : "");
    }

    // The next part of the text that is mapped as one, and how many bytes of the text it stands for.
    private int NextPart(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> part)
    {
        var length = userDefined.Match(text, out _);
        if (length == 0 && rules.Map is not null)
        {
            var mapped = rules.Map.Match(text, longest: true, out part);
            if (mapped > 0)
            {
                return mapped;
            }
        }

        length = length > 0 ? length : Utf8.CharacterLength(text[0]);
        part = text[..length];
        return length;
    }

    private void WriteSpace(ArrayBufferWriter<byte> output) => output.Write(rules.EscapeSpaces ? MetaspaceUtf8 : " "u8);
}
