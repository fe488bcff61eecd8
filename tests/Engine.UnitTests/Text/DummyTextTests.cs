using Fastgen.Engine.Text;
using Fastgen.Engine.Text.Templates;

namespace Fastgen.Engine.UnitTests.Text;

public sealed class DummyTextTests
{
    [Theory]
    [InlineData(384)]
    [InlineData(32_768)]
    public void Every_id_has_a_text_of_its_own(int vocabulary)
    {
        Tokenizer tokenizer = DummyText.Tokenizer(vocabulary);

        Assert.Equal(vocabulary, tokenizer.VocabularySize);
        byte[][] tokens = [.. Enumerable.Range(3, vocabulary - 3).Select(tokenizer.TokenBytes)];
        Assert.All(tokens, token => Assert.NotEmpty(token));
        Assert.Equal(tokens.Length, tokens.Select(Convert.ToHexString).Distinct().Count());
        Assert.True(tokenizer.IsSpecial(2));
        Assert.Equal(" aaaa aaab", tokenizer.Decode([259, 260], skipSpecialTokens: true));
    }

    [Fact]
    public void Text_comes_back_from_its_bytes()
    {
        Tokenizer tokenizer = DummyText.Tokenizer(1000);
        const string Text = "Hello, Wörld — 你好\n\0 <s>";

        int[] ids = tokenizer.Encode(Text.Replace("<s>", "", StringComparison.Ordinal), addSpecialTokens: true);

        Assert.Equal("Hello, Wörld — 你好\n\0 "u8.Length, ids.Length);
        Assert.Equal("Hello, Wörld — 你好\n\0 ", tokenizer.Decode(ids, skipSpecialTokens: true));
        Assert.Equal(1, tokenizer.Encode(Text, addSpecialTokens: false)[^1]);
    }

    [Fact]
    public void Messages_become_lines()
    {
        string prompt = DummyText.Templates().Select(null, hasTools: false).Render(new ChatTemplateInput
        {
            Messages = System.Text.Json.JsonSerializer.SerializeToElement(new[] { new { role = "user", content = "Hi." } }),
            AddGenerationPrompt = true,
        });

        Assert.Equal("user: Hi.\nassistant: ", prompt);
    }
}
