using System.Globalization;
using System.Text.Json;
using Fastgen.Engine.Text.AddedTokens;
using Fastgen.Engine.Text.Decoders;
using Fastgen.Engine.Text.Models;
using Fastgen.Engine.Text.Patterns;
using Fastgen.Engine.Text.PostProcessors;
using Fastgen.Engine.Text.PreTokenizers;

namespace Fastgen.Engine.Text.Loading;

/// <summary>Reads Mistral's tekken.json: byte-level BPE by rank, with special tokens on the first ids.</summary>
/// <remarks>
/// As mistral-common's <c>Tekkenizer</c> over tiktoken reads it. Control tokens are looked for in the text, as in the
/// tokenizer.json that HuggingFace publishes for the same models, because chat templates write them as text.
/// </remarks>
internal static class TekkenReader
{
    private const string Source = "tekken.json";
    private const int ByteCount = 256;
    private const int MaxTokenBytes = 1024;
    private const int MaxFileBytes = 256 << 20;

    // Files up to version v7 may leave the special tokens out; these are meant then.
    private static readonly string[] EarlySpecialTokens =
    [
        "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]",
        "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
    ];

    private const int LastVersionWithoutSpecialTokens = 7;

    // The names that mistral-common looks for.
    private static readonly (string Key, string Token)[] NamedTokens = [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")];

    /// <exception cref="TokenizerFormatException">The file is damaged or asks for what is not supported.</exception>
    public static TokenizerParts Read(ReadOnlyMemory<byte> json)
    {
        if (json.Length > MaxFileBytes)
        {
            throw new TokenizerFormatException($"{Source} has {json.Length:N0} bytes, but at most {MaxFileBytes:N0} are read; is this a Tekken vocabulary?");
        }

        return ReadRoot(JsonFile.Parse(json, Source));
    }

    private static TokenizerParts ReadRoot(JsonPart root)
    {
        var config = root["config"];
        if (config.Element.ValueKind != JsonValueKind.Object)
        {
            throw config.Error("must be an object");
        }

        var entries = root["vocab"];
        var available = entries.Element.ValueKind == JsonValueKind.Array ? entries.Element.GetArrayLength() : throw entries.Error("must be an array");
        var size = config["default_vocab_size"].Integer(Vocabulary.MaxId + 1);
        var specialCount = config["default_num_special_tokens"].Integer(size);
        var rankCount = size - specialCount;
        if (rankCount < ByteCount || rankCount > available)
        {
            throw config.Error($"asks for {rankCount:N0} tokens (default_vocab_size {size:N0} less default_num_special_tokens {specialCount:N0}), but there must be at least {ByteCount} and the file has {available:N0}");
        }

        var special = ReadSpecialTokens(root, ReadVersion(config["version"]), specialCount);
        var tokens = ReadTokens(entries, rankCount);
        return new TokenizerParts(
            Normalizer: null,
            [ReadPattern(config["pattern"]), new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: false, map: true)],
            BuildModel(tokens, special),
            PostProcessor(special),
            [new ByteLevelDecoder()],
            [.. special.Select((content, id) => new AddedToken(content, SingleWord: false, StripLeft: false, StripRight: false, Normalized: false, Special: true) { FixedId = id })])
        {
            SpecialTokens = NamedTokens.Where(entry => special.Contains(entry.Token)).ToDictionary(entry => entry.Key, entry => entry.Token, StringComparer.Ordinal),
        };
    }

    private static PreTokenizer ReadPattern(JsonPart part)
    {
        var pattern = part.String();
        return WordScanner.ForPattern(pattern) ?? (PreTokenizer)new PatternPreTokenizer(new RegexPattern(pattern), SplitBehavior.Isolated, invert: false);
    }

    // "v3", "v11" and so on.
    private static int ReadVersion(JsonPart part) =>
        part.String() is ['v', .. var digits] && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            ? version
            : throw part.Error($"is \"{part.String()}\" but must be a v and a number, such as v3");

    private static string[] ReadSpecialTokens(JsonPart root, int version, int count)
    {
        var result = new string[count];
        var part = root["special_tokens"];
        if (part.IsNull)
        {
            if (version > LastVersionWithoutSpecialTokens)
            {
                throw part.Error($"is missing, but files of version v{version} must have it (only those up to v{LastVersionWithoutSpecialTokens} may leave it out)");
            }

            for (var id = 0; id < Math.Min(count, EarlySpecialTokens.Length); id++)
            {
                result[id] = EarlySpecialTokens[id];
            }
        }
        else
        {
            foreach (var item in part.Items())
            {
                var rank = item["rank"].Integer();
                if (rank >= count)
                {
                    throw item.Error($"has rank {rank}, but there are {count} special tokens (config.default_num_special_tokens)");
                }

                var text = item["token_str"].String();
                result[rank] = result[rank] is null && text.Length > 0 ? text : throw item.Error($"has no text, or a rank {rank} that another special token has");
            }
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var id = 0; id < count; id++)
        {
            result[id] ??= $"<SPECIAL_{id}>";
            if (!seen.Add(result[id]))
            {
                throw part.Error($"has \"{result[id]}\" twice");
            }
        }

        return result;
    }

    private static List<byte[]> ReadTokens(JsonPart entries, int count)
    {
        var tokens = new List<byte[]>(count);
        foreach (var entry in entries.Element.EnumerateArray())
        {
            var rank = tokens.Count;
            if (rank == count)
            {
                break;
            }

            if (entry.ValueKind != JsonValueKind.Object
                || !entry.TryGetProperty("rank", out var given) || given.ValueKind != JsonValueKind.Number || !given.TryGetInt32(out var number) || number != rank
                || !entry.TryGetProperty("token_bytes", out var text) || text.ValueKind != JsonValueKind.String || !text.TryGetBytesFromBase64(out var bytes))
            {
                throw new JsonPart(entry, $"vocab[{rank}]", Source).Error($"must be an object with rank {rank} and token_bytes in base64");
            }

            if (bytes.Length is 0 or > MaxTokenBytes || (rank < ByteCount && (bytes.Length != 1 || bytes[0] != rank)))
            {
                throw new JsonPart(entry, $"vocab[{rank}]", Source).Error(rank < ByteCount ? $"must be the single byte {rank}" : $"has {bytes.Length} bytes, but tokens have 1 to {MaxTokenBytes}");
            }

            tokens.Add(bytes);
        }

        return tokens;
    }

    private static BpeModel BuildModel(List<byte[]> tokens, string[] special)
    {
        // Special tokens have the first ids and are no part of the model's vocabulary.
        var vocabulary = new Vocabulary();
        var bytes = new Vocabulary();
        for (var rank = 0; rank < tokens.Count; rank++)
        {
            if (bytes.IdOf(tokens[rank]) is var known and >= 0)
            {
                throw new JsonPart(default, $"vocab[{rank}]", Source).Error($"has the bytes of vocab[{known}]");
            }

            bytes.Add(tokens[rank], rank);
            vocabulary.Add(System.Text.Encoding.UTF8.GetBytes(ByteAlphabet.Map(tokens[rank])), rank + special.Length);
        }

        vocabulary.Seal();
        var merges = new PairTable(tokens.Count * 2);
        for (var rank = ByteCount; rank < tokens.Count; rank++)
        {
            var token = tokens[rank].AsSpan();
            for (var cut = 1; cut < token.Length; cut++)
            {
                var left = bytes.IdOf(token[..cut]);
                var right = left < 0 ? -1 : bytes.IdOf(token[cut..]);
                if (right >= 0)
                {
                    merges.Set(left + special.Length, right + special.Length, rank, rank + special.Length);
                }
            }
        }

        return new BpeModel(vocabulary, merges, new BpeOptions { IgnoreMerges = true });
    }

    private static TemplatePostProcessor? PostProcessor(string[] special)
    {
        var bos = Array.IndexOf(special, "<s>");
        return bos < 0 ? null : new TemplatePostProcessor([[bos], null]);
    }
}
