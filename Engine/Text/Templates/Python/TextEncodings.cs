using System.Text;
using Fastgen.Engine.Text.Templates.Values;

namespace Fastgen.Engine.Text.Templates.Python;

/// <summary>str.encode and bytes.decode for the encodings that need no tables.</summary>
internal static class TextEncodings
{
    public static BytesValue Encode(string text, Value?[] bound)
    {
        (Encoding encoding, string errors) = Resolve(bound);
        try
        {
            return new BytesValue(WithFallback(encoding, errors).GetBytes(text));
        }
        catch (EncoderFallbackException e)
        {
            throw TemplateError.Value($"'{encoding.WebName}' codec can't encode character at {e.Index}");
        }
    }

    public static string Decode(byte[] bytes, Value?[] bound)
    {
        (Encoding encoding, string errors) = Resolve(bound);
        try
        {
            return WithFallback(encoding, errors).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw TemplateError.Value($"'{encoding.WebName}' codec can't decode byte at {e.Index}");
        }
    }

    private static Encoding WithFallback(Encoding encoding, string errors)
    {
        var copy = (Encoding)encoding.Clone();
        copy.EncoderFallback = errors switch
        {
            "strict" => EncoderFallback.ExceptionFallback,
            "ignore" => new EncoderReplacementFallback(""),
            "replace" => new EncoderReplacementFallback("?"),
            _ => throw new TemplateError(ErrorKind.Lookup, $"unknown error handler name '{errors}'"),
        };
        copy.DecoderFallback = errors switch
        {
            "strict" => DecoderFallback.ExceptionFallback,
            "ignore" => new DecoderReplacementFallback(""),
            _ => new DecoderReplacementFallback("\ufffd"),
        };
        return copy;
    }

    private static (Encoding Encoding, string Errors) Resolve(Value?[] bound)
    {
        string name = bound[0] is null ? "utf-8" : Builtins.Coerce.Str(bound[0], "encoding");
        string errors = bound[1] is null ? "strict" : Builtins.Coerce.Str(bound[1], "errors");
        Encoding encoding = name.ToLowerInvariant().Replace('_', '-') switch
        {
            "utf-8" or "utf8" or "u8" => new UTF8Encoding(false),
            "ascii" or "us-ascii" => Encoding.ASCII,
            "latin-1" or "latin1" or "iso-8859-1" or "iso8859-1" => Encoding.Latin1,
            "utf-16-le" or "utf-16le" => new UnicodeEncoding(false, false),
            "utf-16-be" or "utf-16be" => new UnicodeEncoding(true, false),
            _ => throw new TemplateError(ErrorKind.Lookup, $"unknown encoding: {name}; utf-8, ascii, latin-1, utf-16-le and utf-16-be are supported"),
        };
        return (encoding, errors);
    }
}
