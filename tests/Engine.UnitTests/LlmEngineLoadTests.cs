using Fastgen.Engine.UnitTests.Model;
using Fastgen.Engine.UnitTests.Model.Checkpoints;
using Fastgen.Engine.UnitTests.Text;

namespace Fastgen.Engine.UnitTests;

/// <summary>What the engine takes from which file of a folder.</summary>
public sealed class LlmEngineLoadTests
{
    [Theory]
    [InlineData("tokenizer.model")]
    [InlineData("tokenizer.model.v3")]
    public async Task The_tokenizer_names_the_end_where_no_other_file_does(string name)
    {
        using var folder = new TemporaryFolder();
        TinyModel.Write(folder, """{ "vocab_size": 400 }""");
        folder.Write(name, SentencePieceBytes.Model(bpe: true, byteFallback: true));
        folder.Write("chat_template.jinja", "{{ bos_token }}{{ messages[0].content }}");
        await using (LlmEngine engine = await LoadAsync(folder))
        {
            Assert.Equal([engine.Tokenizer!.TokenToId("</s>")!.Value], engine.Defaults.EndOfSequenceIds);
            Assert.Equal(engine.Tokenizer.TokenToId("<s>"), engine.EncodePrompt(EngineRequest.Chat(("user", "the")))[0]);
        }

        folder.Write("generation_config.json", """{ "eos_token_id": [7, 8] }""");
        await using LlmEngine other = await LoadAsync(folder);
        Assert.Equal([7, 8], other.Defaults.EndOfSequenceIds);
    }

    private static Task<LlmEngine> LoadAsync(TemporaryFolder folder) =>
        LlmEngine.LoadAsync(folder.Root, new EngineOptions { Device = "cpu", Threads = 1, KvCacheBytes = 1 << 20 }, cancellationToken: TestContext.Current.CancellationToken);
}
