using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Models;

namespace Fastgen.Engine.UnitTests.Text;

/// <summary>Small tokenizer.json files made for tests.</summary>
internal static class SyntheticTokenizer
{
    /// <summary>What the byte-level vocabulary is learned from.</summary>
    public const string Corpus = "the quick brown fox jumps over the lazy dog, and the other dog's owner isn't amused; 123 foxes were there then.";

    /// <summary>A file with a byte-level BPE model that knows all bytes and some merges.</summary>
    public static JsonObject ByteLevel(int merges = 60, bool useRegex = true)
    {
        var symbols = Enumerable.Range(0, 256).Select(value => ByteAlphabet.ToChar((byte)value).ToString()).ToList();
        var learned = Learn(Corpus.Split(' ').Select((word, index) => (index == 0 ? "" : "Ġ") + word), merges);
        var vocabulary = new JsonObject();
        foreach (var token in symbols.Concat(learned.Select(pair => pair.Left + pair.Right)).Distinct())
        {
            vocabulary[token] = vocabulary.Count;
        }

        return File(
            new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. learned.Select(pair => JsonValue.Create(pair.Left + " " + pair.Right))]),
            },
            preTokenizer: new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = useRegex },
            decoder: new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true });
    }

    /// <summary>A file in the manner of Llama 2: byte fallback and visible spaces.</summary>
    public static JsonObject ByteFallback()
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0, ["<s>"] = 1, ["</s>"] = 2 };
        for (var value = 0; value < 256; value++)
        {
            vocabulary[$"<0x{value:X2}>"] = vocabulary.Count;
        }

        var learned = Learn(Corpus.Split(' ').Select(word => "▁" + word), 60);
        foreach (var token in Corpus.Replace(' ', '▁').Select(c => c.ToString()).Concat(learned.Select(pair => pair.Left + pair.Right)).Distinct())
        {
            vocabulary[token] = vocabulary.Count;
        }

        var file = File(
            new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. learned.Select(pair => (JsonNode)new JsonArray(pair.Left, pair.Right))]),
            },
            preTokenizer: null,
            decoder: JsonNode.Parse("""
                {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
                 {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
                """));
        file["normalizer"] = JsonNode.Parse("""
            {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
            """);
        AddToken(file, "<unk>", special: true);
        AddToken(file, "<s>", special: true);
        AddToken(file, "</s>", special: true);
        return file;
    }

    /// <summary>A file around a model.</summary>
    public static JsonObject File(JsonNode model, JsonNode? preTokenizer = null, JsonNode? decoder = null) => new()
    {
        ["version"] = "1.0",
        ["added_tokens"] = new JsonArray(),
        ["normalizer"] = null,
        ["pre_tokenizer"] = preTokenizer,
        ["post_processor"] = null,
        ["decoder"] = decoder,
        ["model"] = model,
    };

    /// <summary>A model whose tokens are single characters, so that ids show the pieces' characters.</summary>
    public static JsonObject Characters(string alphabet)
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0 };
        foreach (var rune in alphabet.EnumerateRunes())
        {
            vocabulary[rune.ToString()] = vocabulary.Count;
        }

        return new JsonObject { ["type"] = "BPE", ["unk_token"] = "<unk>", ["vocab"] = vocabulary, ["merges"] = new JsonArray() };
    }

    public static void AddToken(
        JsonObject file, string content, bool special = false, bool singleWord = false, bool lstrip = false, bool rstrip = false, bool normalized = false) =>
        file["added_tokens"]!.AsArray().Add(new JsonObject
        {
            ["id"] = file["added_tokens"]!.AsArray().Count,
            ["content"] = content,
            ["single_word"] = singleWord,
            ["lstrip"] = lstrip,
            ["rstrip"] = rstrip,
            ["normalized"] = normalized,
            ["special"] = special,
        });

    public static byte[] Bytes(JsonObject file) => JsonSerializer.SerializeToUtf8Bytes(file);

    public static Tokenizer Load(JsonObject file) => Tokenizer.Parse(Bytes(file));

    public static string[] Tokens(Tokenizer tokenizer, string text) => [.. tokenizer.Encode(text, addSpecialTokens: false).Select(id => tokenizer.IdToToken(id)!)];

    /// <summary>A text with many kinds of characters.</summary>
    public static string RandomText(Random random, int length)
    {
        string[] parts = ["a", "B", "the", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "'\u017F", "1", "23", "٣", "½", ".", "!?", "/", "é", "e\u0301", "\u0301", "ǅ", "ʰ", "世", "界", "👩\u200D👧", "𝔘", "𞤀", "\u00A0", "\u3000", "\u200B", "<", "_", "\0", "Ⓐ"];
        var text = new StringBuilder();
        while (text.Length < length)
        {
            text.Append(parts[random.Next(parts.Length)]);
        }

        return text.ToString();
    }

    // Byte-pair learning by definition: the most frequent pair first.
    private static List<(string Left, string Right)> Learn(IEnumerable<string> words, int count)
    {
        var rows = words.Select(word => word.Select(c => c.ToString()).ToList()).ToList();
        var merges = new List<(string Left, string Right)>();
        while (merges.Count < count)
        {
            var best = rows.SelectMany(row => row.Zip(row.Skip(1))).GroupBy(pair => pair)
                .OrderByDescending(group => group.Count()).ThenBy(group => group.Key.First + " " + group.Key.Second, StringComparer.Ordinal).FirstOrDefault();
            if (best is null)
            {
                break;
            }

            merges.Add(best.Key);
            foreach (var row in rows)
            {
                for (var i = 0; i + 1 < row.Count; i++)
                {
                    if (row[i] == best.Key.First && row[i + 1] == best.Key.Second)
                    {
                        row[i] += row[i + 1];
                        row.RemoveAt(i + 1);
                    }
                }
            }
        }

        return merges;
    }
}
