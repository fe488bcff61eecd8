using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Fastgen.Engine.Text;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>Compares one tokenizer with one golden record and lists the differences.</summary>
internal sealed class TokenizerGoldenCheck(Tokenizer tokenizer, JsonElement golden)
{
    private readonly List<string> _differences = [];

    /// <summary>Number of comparisons made.</summary>
    public int Compared { get; private set; }

    /// <summary>The first differences.</summary>
    public IReadOnlyList<string> Run()
    {
        CheckVocabulary();
        CheckEncodings();
        CheckSpecial();
        CheckDecodings();
        CheckStreams();
        return [.. _differences.Take(12)];
    }

    private void CheckVocabulary()
    {
        var listing = new StringBuilder();
        var count = 0;
        for (var id = 0; id < tokenizer.VocabularySize; id++)
        {
            if (tokenizer.IdToToken(id) is { } token)
            {
                count++;
                listing.Append(CultureInfo.InvariantCulture, $"{id}\t{token}\n");
                if (tokenizer.TokenToId(token) is null)
                {
                    _differences.Add($"token {id} is not found by its text");
                }
            }
        }

        Expect("vocab_size", golden.GetProperty("vocab_size").GetInt32(), count);
        Expect("vocab_sha256", golden.GetProperty("vocab_sha256").GetString(), Hash(listing.ToString()));
    }

    private void CheckEncodings()
    {
        var prefix = Ids(golden.GetProperty("bos_eos").GetProperty("prefix"));
        var suffix = Ids(golden.GetProperty("bos_eos").GetProperty("suffix"));
        var full = Optional("full").ToDictionary(entry => entry.Name, entry => Ids(entry.Value), StringComparer.Ordinal);
        var decoded = Optional("dec").ToDictionary(entry => entry.Name, entry => entry.Value, StringComparer.Ordinal);
        foreach (var (name, value) in Optional("enc"))
        {
            var text = TextGoldens.Strings[name];
            var plain = Ids(value);
            Expect($"enc {name}", plain, tokenizer.Encode(text, addSpecialTokens: false));
            Expect($"full {name}", full.GetValueOrDefault(name, [.. prefix, .. plain, .. suffix]), tokenizer.Encode(text, addSpecialTokens: true));
            ExpectDecoding($"dec {name}", text, plain, decoded.TryGetValue(name, out var pair) ? pair[0] : null, decoded.TryGetValue(name, out pair) ? pair[1] : null);
        }

        foreach (var (name, value) in Optional("long"))
        {
            var ids = tokenizer.Encode(TextGoldens.Strings[name], addSpecialTokens: false);
            Expect($"long {name} count", value.GetProperty("n").GetInt32(), ids.Length);
            Expect($"long {name} head", Ids(value.GetProperty("head")), ids.Take(value.GetProperty("head").GetArrayLength()).ToArray());
            Expect($"long {name} tail", Ids(value.GetProperty("tail")), ids.TakeLast(value.GetProperty("tail").GetArrayLength()).ToArray());
            Expect($"long {name} sha256", value.GetProperty("sha256").GetString(), Hash(string.Join(',', ids)));
        }
    }

    private void CheckSpecial()
    {
        if (golden.TryGetProperty("special", out var cases))
        {
            foreach (var entry in cases.EnumerateArray())
            {
                var text = entry[0].GetString()!;
                Expect($"special \"{text}\"", Ids(entry[1]), tokenizer.Encode(text, addSpecialTokens: false));
                ExpectDecoding($"special \"{text}\"", text, Ids(entry[1]), entry[2], entry[3]);
            }
        }
    }

    private void CheckDecodings()
    {
        foreach (var entry in golden.GetProperty("rand").EnumerateArray())
        {
            ExpectDecoding($"rand {entry[0]}", null, Ids(entry[0]), entry[1], entry[2]);
        }

        foreach (var entry in golden.GetProperty("single").EnumerateArray())
        {
            var id = entry[0].GetInt32();
            Expect($"single {id}", entry[1].GetString(), tokenizer.IdToToken(id));
            ExpectDecoding($"single {id}", null, [id], entry[2], null);
        }
    }

    private void CheckStreams()
    {
        if (!golden.TryGetProperty("stream", out var cases))
        {
            return;
        }

        foreach (var entry in cases.EnumerateArray())
        {
            var ids = Ids(entry[0]);
            var skip = entry[1].GetBoolean();
            var detokenizer = new IncrementalDetokenizer(tokenizer, skip, []);
            var chunks = ids.Select(detokenizer.Append).ToList();
            var rest = detokenizer.Flush();
            Expect($"stream {entry[0]} whole", tokenizer.Decode(ids, skip), string.Concat(chunks) + rest);

            // Where the reference holds text back for good or fails, its chunks say nothing about ours.
            var expected = entry[2].EnumerateArray().ToArray();
            if (expected.All(chunk => chunk.ValueKind is JsonValueKind.String or JsonValueKind.Null) && !tokenizer.Decode(ids, skip).Contains('\uFFFD', StringComparison.Ordinal))
            {
                var reference = expected.Select(chunk => chunk.GetString() ?? "").ToList();
                if (string.Concat(reference) == string.Concat(chunks) + rest)
                {
                    Expect($"stream {entry[0]} chunks", string.Join('|', reference), string.Join('|', chunks));
                }
            }
        }
    }

    // 0 stands for the text, 1 for the decoding that keeps special tokens; an object is an error of the reference.
    private void ExpectDecoding(string what, string? text, int[] ids, JsonElement? keeping, JsonElement? skipping)
    {
        var kept = Resolve(keeping, text, null);
        if (kept is not null)
        {
            Expect($"{what} keeping", kept, tokenizer.Decode(ids, skipSpecialTokens: false));
        }

        var skipped = skipping is null && keeping is null ? text : Resolve(skipping, text, kept);
        if (skipped is not null)
        {
            Expect($"{what} skipping", skipped, tokenizer.Decode(ids, skipSpecialTokens: true));
        }

        // Whatever the reference does, ours answers.
        _ = tokenizer.Decode(ids, skipSpecialTokens: true);
    }

    private static string? Resolve(JsonElement? value, string? text, string? kept) => value switch
    {
        null => text,
        { ValueKind: JsonValueKind.Number } number => number.GetInt32() == 0 ? text : kept,
        { ValueKind: JsonValueKind.String } known => known.GetString(),
        _ => null,
    };

    private void Expect(string what, int[] expected, int[] actual)
    {
        Compared++;
        if (!expected.AsSpan().SequenceEqual(actual))
        {
            _differences.Add($"{what}: expected [{string.Join(", ", expected.Take(40))}] but got [{string.Join(", ", actual.Take(40))}]");
        }
    }

    private void Expect<T>(string what, T expected, T actual)
    {
        Compared++;
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
        {
            _differences.Add($"{what}: expected \"{expected}\" but got \"{actual}\"");
        }
    }

    private IEnumerable<(string Name, JsonElement Value)> Optional(string name) =>
        golden.TryGetProperty(name, out var part) ? part.EnumerateObject().Select(property => (property.Name, property.Value)) : [];

    private static int[] Ids(JsonElement array) => [.. array.EnumerateArray().Select(id => id.GetInt32())];

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
