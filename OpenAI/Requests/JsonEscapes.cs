using System.Text.Json;

namespace Fastgen.OpenAI.Requests;

/// <summary>Finds <c>\ud800</c> without its other half: the parser lets it through, and every later read of that string would throw.</summary>
internal static class JsonEscapes
{
    /// <summary>Offset of the first string with half of a surrogate pair, or null.</summary>
    /// <exception cref="JsonException"><paramref name="json"/> is not JSON.</exception>
    public static long? FindHalfPair(ReadOnlySpan<byte> json, int maxDepth)
    {
        if (json.IndexOf("\\u"u8) < 0)
        {
            return null;
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = maxDepth });
        char[] scratch = [];
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName) || !reader.ValueIsEscaped)
            {
                continue;
            }

            if (scratch.Length < reader.ValueSpan.Length)
            {
                scratch = new char[Math.Max(256, reader.ValueSpan.Length)];
            }

            try
            {
                reader.CopyString(scratch);
            }
            catch (InvalidOperationException)
            {
                return reader.TokenStartIndex;
            }
        }

        return null;
    }
}
