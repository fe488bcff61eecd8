using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fastgen.Engine.Text;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>Golden tokenizers in the manner of Tekken, rewritten as the tekken.json that they were once made from, against their own records.</summary>
public sealed class TekkenGoldenTests
{
    [Fact]
    public void GoldenTokenizersReadTheSameAsTekken()
    {
        Assert.SkipWhen(TextGoldens.Folder is null, TextGoldens.NoData);
        var rewritten = 0;
        foreach (var name in TextGoldens.TokenizerNames())
        {
            if (Rewrite(JsonElement.Parse(TextGoldens.ReadTokenizer(name))) is { } tekken)
            {
                rewritten++;
                var check = new TokenizerGoldenCheck(Tokenizer.ParseTekken(tekken), TextGoldens.ReadTokenizerGolden(name));
                Assert.Equal("", string.Join("\n", check.Run().Select(difference => $"{name}: {difference}")));
                Assert.True(check.Compared > 100, $"{name}: only {check.Compared} comparisons");
            }
        }

        Assert.SkipWhen(rewritten == 0, "The golden data has no tokenizer in the manner of Tekken.");
    }

    // Special tokens on the first ids, then the 256 bytes in order, then merges by rank: else null.
    private static byte[]? Rewrite(JsonElement root)
    {
        var alphabet = Alphabet();
        var special = root.GetProperty("added_tokens").EnumerateArray().Select(token => token.GetProperty("content").GetString()!).ToList();
        if (!root.GetProperty("model").TryGetProperty("vocab", out var vocab) || vocab.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        var tokens = vocab.EnumerateObject().OrderBy(entry => entry.Value.GetInt32()).Select(entry => entry.Name).ToList();
        if (tokens.Count < special.Count + 256 || !tokens.Take(special.Count).SequenceEqual(special)
            || root.GetProperty("pre_tokenizer").ValueKind == JsonValueKind.Null || !root.GetProperty("pre_tokenizer").TryGetProperty("pretokenizers", out var parts)
            || !tokens.Skip(special.Count).Take(256).Select((token, value) => token.Length == 1 && alphabet.GetValueOrDefault(token[0], -1) == value).All(same => same))
        {
            return null;
        }

        var entries = new JsonArray();
        foreach (var token in tokens.Skip(special.Count))
        {
            entries.Add(new JsonObject
            {
                ["rank"] = entries.Count,
                ["token_bytes"] = Convert.ToBase64String([.. token.Select(c => (byte)alphabet[c])]),
                ["token_str"] = null,
            });
        }

        return Encoding.UTF8.GetBytes(new JsonObject
        {
            ["config"] = new JsonObject
            {
                ["pattern"] = parts[0].GetProperty("pattern").GetProperty("Regex").GetString(),
                ["num_vocab_tokens"] = entries.Count,
                ["default_vocab_size"] = tokens.Count,
                ["default_num_special_tokens"] = special.Count,
                ["version"] = "v11",
            },
            ["vocab"] = entries,
            ["special_tokens"] = new JsonArray([.. special.Select((text, rank) => new JsonObject { ["rank"] = rank, ["token_str"] = text, ["is_control"] = true })]),
        }.ToJsonString());
    }

    // GPT-2's bytes_to_unicode, from its definition.
    private static Dictionary<char, int> Alphabet()
    {
        var result = new Dictionary<char, int>();
        var next = 256;
        for (var value = 0; value < 256; value++)
        {
            var printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            result[(char)(printable ? value : next++)] = value;
        }

        return result;
    }
}
