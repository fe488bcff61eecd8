using System.Text;
using System.Text.Json.Nodes;

namespace Fastgen.Engine.UnitTests.Text;

/// <summary>Small tekken.json files made for tests.</summary>
internal static class SyntheticTekken
{
    /// <summary>All bytes, some merges of English words, five special tokens of which two are named.</summary>
    public static JsonObject File()
    {
        var vocabulary = new JsonArray();
        foreach (var bytes in Enumerable.Range(0, 256).Select(value => new[] { (byte)value })
            .Concat(((string[])["th", "he", "the", " t", " the", "qu", "ick", "ic", " q", "世", "\n\n"]).Select(Encoding.UTF8.GetBytes)))
        {
            vocabulary.Add(new JsonObject { ["rank"] = vocabulary.Count, ["token_bytes"] = Convert.ToBase64String(bytes), ["token_str"] = null });
        }

        return new JsonObject
        {
            ["config"] = new JsonObject
            {
                ["pattern"] = @"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
                ["num_vocab_tokens"] = vocabulary.Count,
                ["default_vocab_size"] = vocabulary.Count + 5,
                ["default_num_special_tokens"] = 5,
                ["version"] = "v11",
            },
            ["vocab"] = vocabulary,
            ["special_tokens"] = new JsonArray(
                new JsonObject { ["rank"] = 0, ["token_str"] = "<unk>", ["is_control"] = true },
                new JsonObject { ["rank"] = 1, ["token_str"] = "<s>", ["is_control"] = true },
                new JsonObject { ["rank"] = 3, ["token_str"] = "[INST]", ["is_control"] = true }),
        };
    }

    public static byte[] Bytes(JsonObject file) => Encoding.UTF8.GetBytes(file.ToJsonString());
}
