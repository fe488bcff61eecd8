using System.Text;
using System.Text.Json.Nodes;
using Fastgen.Engine.Text;

namespace Fastgen.Engine.UnitTests.Doubles;

/// <summary>A byte-level tokenizer of one token per byte: an end token, some letters, a space, and the bytes of é and 😀 apart.</summary>
internal static class LetterTokenizer
{
    public const int EndId = 0;

    // In the byte-level alphabet: Ġ is the space, Ã© the bytes of é, ðŁĺĢ those of 😀.
    private const string Alphabet = "abcdefĠÃ©ðŁĺĢ";

    public static int VocabularySize => Alphabet.Length + 2;

    public static int BeginId => Alphabet.Length + 1;

    public static Tokenizer Create()
    {
        var vocabulary = new JsonObject { ["<end>"] = EndId };
        for (int i = 0; i < Alphabet.Length; i++)
        {
            vocabulary[Alphabet[i].ToString()] = i + 1;
        }

        JsonObject Special(int id, string content) => new()
        {
            ["id"] = id,
            ["content"] = content,
            ["single_word"] = false,
            ["lstrip"] = false,
            ["rstrip"] = false,
            ["normalized"] = false,
            ["special"] = true,
        };
        var json = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(Special(EndId, "<end>"), Special(BeginId, "<begin>")),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = false },
            ["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(
                    new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = "<begin>", ["type_id"] = 0 } },
                    new JsonObject { ["Sequence"] = new JsonObject { ["id"] = "A", ["type_id"] = 0 } }),
                ["pair"] = new JsonArray(new JsonObject { ["Sequence"] = new JsonObject { ["id"] = "A", ["type_id"] = 0 } }),
                ["special_tokens"] = new JsonObject
                {
                    ["<begin>"] = new JsonObject { ["id"] = "<begin>", ["ids"] = new JsonArray(BeginId), ["tokens"] = new JsonArray("<begin>") },
                },
            },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = false },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        };
        return Tokenizer.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()));
    }
}
