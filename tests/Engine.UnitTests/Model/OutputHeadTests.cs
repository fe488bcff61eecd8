using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.UnitTests.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model;

/// <summary>The output matrix is the embedding table where the checkpoint holds no other: its tensors say it, not config.json alone.</summary>
public sealed class OutputHeadTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_matrix_of_its_own_is_used_though_the_file_calls_it_tied()
    {
        TinyModel.Write(_folder);
        var untied = Read();
        _folder.Write("config.json", ConfigText.With("""{ "tie_word_embeddings": true }"""));
        Assert.False(Settle().TieWordEmbeddings);
        Assert.Equal(untied, Read());
    }

    [Fact]
    public void A_copy_of_the_table_is_not_kept_twice()
    {
        var table = Array.Empty<float>();
        TinyModel.Write(_folder, "{}", (name, values) =>
        {
            table = name == "model.embed_tokens.weight" ? [.. values] : table;
            if (name == "lm_head.weight")
            {
                table.CopyTo(values, 0);
            }

            return true;
        });
        var untied = Read();
        Assert.False(Settle().TieWordEmbeddings);
        _folder.Write("config.json", ConfigText.With("""{ "tie_word_embeddings": true }"""));
        Assert.True(Settle().TieWordEmbeddings);
        Assert.Equal(untied, Read());
    }

    [Fact]
    public void Without_a_matrix_the_file_decides()
    {
        TinyModel.Write(_folder, "{}", (name, _) => name != "lm_head.weight");
        Assert.Contains("'lm_head.weight' [100, 64] is missing", Assert.Throws<ModelLoadException>(() => Read()).Message, StringComparison.Ordinal);
        _folder.Write("config.json", ConfigText.With("""{ "tie_word_embeddings": true }"""));
        Assert.NotEmpty(Read());
    }

    private ModelConfig Settle()
    {
        var config = ModelConfig.Load(Path.Combine(_folder.Root, "config.json"));
        using var checkpoint = Checkpoint.Open(_folder.Root);
        return checkpoint.Settle(config);
    }

    private float[] Read()
    {
        using var runner = ModelRunner.Load(new ModelRunnerOptions { Model = _folder.Root, Device = "cpu", BlockCount = 8, MaxBatchTokens = 64, Threads = 2 });
        return WeightTypeTests.Run(runner, 20, 20);
    }
}
