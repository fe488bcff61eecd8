using System.Text;
using System.Text.Json;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>A tokenizer.json in the manner of Llama 2 and Mistral, rewritten as the tokenizer.model that it was once made from.</summary>
internal sealed record SentencePieceRewrite(byte[] Model, string Config)
{
    /// <summary>Null where a tokenizer.model cannot say the same.</summary>
    public static SentencePieceRewrite? Of(byte[] tokenizerJson)
    {
        var root = JsonElement.Parse(tokenizerJson);
        var model = root.GetProperty("model");
        if (!model.TryGetProperty("byte_fallback", out var fallback) || fallback.ValueKind != JsonValueKind.True || !model.TryGetProperty("merges", out var merges)
            || Prefix(root) is not { } prefix || !root.GetProperty("added_tokens").EnumerateArray().All(IsPlain))
        {
            return null;
        }

        var tokens = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32(), StringComparer.Ordinal);
        var added = root.GetProperty("added_tokens").EnumerateArray().ToDictionary(token => token.GetProperty("content").GetString()!, token => token.GetProperty("special").GetBoolean(), StringComparer.Ordinal);
        if (!added.Keys.All(tokens.ContainsKey) || !tokens.Values.Order().SequenceEqual(Enumerable.Range(0, tokens.Count)) || Scores(merges, tokens) is not { } scores)
        {
            return null;
        }

        using var file = new MemoryStream();
        foreach (var (text, id) in tokens.OrderBy(entry => entry.Value))
        {
            var isByte = text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal);
            var type = text == "<unk>" ? 2 : added.ContainsKey(text) ? 3 : isByte ? 6 : 1;
            using var piece = new MemoryStream();
            WriteBytes(piece, 1, Encoding.UTF8.GetBytes(text));
            piece.WriteByte((2 << 3) | 5);
            piece.Write(BitConverter.GetBytes(scores.GetValueOrDefault(text, -1e9f)));
            WriteNumber(piece, 3, type);
            WriteBytes(file, 1, piece.ToArray());
        }

        using var trainer = new MemoryStream();
        WriteNumber(trainer, 3, 2);
        WriteNumber(trainer, 35, 1);
        WriteBytes(file, 2, trainer.ToArray());
        using var normalizer = new MemoryStream();
        WriteNumber(normalizer, 3, prefix.Any ? 1 : 0);
        WriteNumber(normalizer, 4, 0);
        WriteBytes(file, 3, normalizer.ToArray());

        var config = new Dictionary<string, object>
        {
            ["legacy"] = prefix.Everywhere,
            ["add_bos_token"] = root.GetProperty("post_processor").ToString().Contains("SpecialToken", StringComparison.Ordinal),
            ["added_tokens_decoder"] = added.ToDictionary(token => tokens[token.Key].ToString(System.Globalization.CultureInfo.InvariantCulture), token => (object)new { content = token.Key, special = token.Value }),
        };
        return new SentencePieceRewrite(file.ToArray(), JsonSerializer.Serialize(config));
    }

    // Where spaces are put in front; null for what SentencePiece does not do.
    private static (bool Any, bool Everywhere)? Prefix(JsonElement root)
    {
        var normalizer = root.GetProperty("normalizer");
        var preTokenizer = root.GetProperty("pre_tokenizer");
        var parts = normalizer.ValueKind == JsonValueKind.Null ? "" : normalizer.GetProperty("type").GetString() == "Sequence"
            ? string.Join("+", normalizer.GetProperty("normalizers").EnumerateArray().Select(part => part.GetProperty("type").GetString()))
            : normalizer.GetProperty("type").GetString();
        var pre = preTokenizer.ValueKind == JsonValueKind.Null ? "" : preTokenizer.GetProperty("type").GetString();
        return (parts, pre) switch
        {
            ("Prepend+Replace", "") => (true, true),
            ("", "Metaspace") when preTokenizer.TryGetProperty("split", out var split) && split.ValueKind == JsonValueKind.False
                && preTokenizer.GetProperty("prepend_scheme").GetString() == "first" => (true, false),
            ("Replace", "" or "Split") => (false, true),
            _ => null,
        };
    }

    private static bool IsPlain(JsonElement token) =>
        ((string[])["single_word", "lstrip", "rstrip", "normalized"]).All(flag => token.GetProperty(flag).ValueKind == JsonValueKind.False);

    // The merges of a token in one run, and as many as there are cuts of tokens into two tokens: then scores say the same.
    private static Dictionary<string, float>? Scores(JsonElement merges, Dictionary<string, int> tokens)
    {
        var scores = new Dictionary<string, float>(StringComparer.Ordinal);
        var last = "";
        var count = 0;
        foreach (var merge in merges.EnumerateArray())
        {
            var text = merge.ValueKind == JsonValueKind.String
                ? merge.GetString()!.Replace(" ", "", StringComparison.Ordinal)
                : merge[0].GetString() + merge[1].GetString();
            if (text != last && !scores.TryAdd(text, -scores.Count))
            {
                return null;
            }

            last = text;
            count++;
        }

        var cuts = tokens.Keys.Sum(token => Enumerable.Range(1, Math.Max(0, token.Length - 1)).Count(cut => tokens.ContainsKey(token[..cut]) && tokens.ContainsKey(token[cut..])));
        return count == cuts ? scores : null;
    }

    private static void WriteBytes(Stream stream, int field, byte[] bytes)
    {
        WriteVarint(stream, (field << 3) | 2);
        WriteVarint(stream, bytes.Length);
        stream.Write(bytes);
    }

    private static void WriteNumber(Stream stream, int field, int value)
    {
        WriteVarint(stream, field << 3);
        WriteVarint(stream, value);
    }

    private static void WriteVarint(Stream stream, int value)
    {
        for (; value > 0x7F; value >>= 7)
        {
            stream.WriteByte((byte)(value | 0x80));
        }

        stream.WriteByte((byte)value);
    }
}
