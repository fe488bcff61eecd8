using System.Text.Json;
using Fastgen.Engine.Text;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>tokenizer.model against the SentencePiece library, and golden tokenizers rewritten as tokenizer.model against their own records.</summary>
public sealed class SentencePieceGoldenTests
{
    private static readonly string Fixtures = Path.Combine(AppContext.BaseDirectory, "Text", "SentencePiece");

    public static TheoryData<string> Models =>
        new(Directory.EnumerateFiles(Fixtures, "*.json").Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal));

    public static TheoryData<string> ModelsWithPrefix => new(Models.Select(row => (string)row.Data).Where(name => Expected(name).GetProperty("modern").ValueKind != JsonValueKind.Null));

    [Theory]
    [MemberData(nameof(Models))]
    public void EqualsTheSentencePieceLibrary(string name)
    {
        var tokenizer = Tokenizer.ParseSentencePiece(TextGoldens.Unpack(Path.Combine(Fixtures, name + ".model.gz")));
        var differences = new List<string>();
        foreach (var entry in Expected(name).GetProperty("cases").EnumerateArray())
        {
            Compare(tokenizer, entry[0].GetString()!, entry[1], differences);
        }

        Assert.Equal("", string.Join("\n", differences.Take(12)));
    }

    [Theory]
    [MemberData(nameof(ModelsWithPrefix))]
    public void EqualsTheBehaviourThatIsNotLegacy(string name)
    {
        var expected = Expected(name);
        var folder = Directory.CreateTempSubdirectory("sentencepiece");
        try
        {
            File.WriteAllBytes(Path.Combine(folder.FullName, "tokenizer.model"), TextGoldens.Unpack(Path.Combine(Fixtures, name + ".model.gz")));
            File.WriteAllText(Path.Combine(folder.FullName, "tokenizer_config.json"), """{"legacy": false, "add_bos_token": true, "bos_token": "<s>"}""");
            var tokenizer = Tokenizer.LoadFolder(folder.FullName)!;
            var differences = new List<string>();
            foreach (var (entry, ids) in expected.GetProperty("cases").EnumerateArray().Zip(expected.GetProperty("modern").EnumerateArray()))
            {
                Compare(tokenizer, entry[0].GetString()!, ids, differences);
            }

            Assert.Equal("", string.Join("\n", differences.Take(12)));
            Assert.Equal([tokenizer.TokenToId("<s>")!.Value, .. tokenizer.Encode("the fox", addSpecialTokens: false)], tokenizer.Encode("the fox", addSpecialTokens: true));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void GoldenTokenizersReadTheSameAsTokenizerModel()
    {
        Assert.SkipWhen(TextGoldens.Folder is null, TextGoldens.NoData);
        var rewritten = 0;
        foreach (var name in TextGoldens.TokenizerNames())
        {
            if (SentencePieceRewrite.Of(TextGoldens.ReadTokenizer(name)) is not { } files)
            {
                continue;
            }

            rewritten++;
            var folder = Directory.CreateTempSubdirectory("sentencepiece");
            try
            {
                File.WriteAllBytes(Path.Combine(folder.FullName, "tokenizer.model"), files.Model);
                File.WriteAllText(Path.Combine(folder.FullName, "tokenizer_config.json"), files.Config);
                var check = new TokenizerGoldenCheck(Tokenizer.LoadFolder(folder.FullName)!, TextGoldens.ReadTokenizerGolden(name));
                Assert.Equal("", string.Join("\n", check.Run().Select(difference => $"{name}: {difference}")));
                Assert.True(check.Compared > 100, $"{name}: only {check.Compared} comparisons");
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        }

        Assert.SkipWhen(rewritten == 0, "The golden data has no tokenizer in the manner of SentencePiece.");
    }

    private static JsonElement Expected(string name) => JsonElement.Parse(File.ReadAllBytes(Path.Combine(Fixtures, name + ".json")));

    private static void Compare(Tokenizer tokenizer, string text, JsonElement expected, List<string> differences)
    {
        var wanted = string.Join(",", expected.EnumerateArray().Select(id => id.GetInt32()));
        var got = string.Join(",", tokenizer.Encode(text, addSpecialTokens: false));
        if (wanted != got)
        {
            differences.Add($"{JsonSerializer.Serialize(text)}: expected {wanted}, got {got}");
        }
    }
}
