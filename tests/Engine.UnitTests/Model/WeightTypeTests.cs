using Fastgen.Engine.Backends;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Sampling;
using Fastgen.Engine.UnitTests.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model;

/// <summary>Plain checkpoints that are quantised while they are loaded.</summary>
public sealed class WeightTypeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(WeightType.Int8, "{}", 0.03)]
    [InlineData(WeightType.Int8, """{ "tie_word_embeddings": true }""", 0.03)]
    [InlineData(WeightType.Int4, "{}", 0.5)]
    [InlineData(WeightType.Int4, """{ "tie_word_embeddings": true }""", 0.5)]
    public void Logits_stay_near_and_do_not_depend_on_the_cut(WeightType type, string configChanges, double largestShare)
    {
        TinyModel.Write(_folder, configChanges);
        float[] stored, quantised;
        using (var runner = Load(WeightType.Stored))
        {
            stored = Run(runner, 20, 20);
        }

        using (var runner = Load(type))
        {
            quantised = Run(runner, 20, 20);
            Assert.Equal(quantised, Run(runner, 20, 1));
            Assert.Equal(quantised, Run(runner, 20, 7));
        }

        // Relative to the logits' own size: random weights have no structure that quantising could keep better.
        var (error, size) = (0.0, 0.0);
        for (var i = 0; i < stored.Length; i++)
        {
            error += Math.Pow(stored[i] - quantised[i], 2);
            size += Math.Pow(stored[i], 2);
        }

        Assert.InRange(Math.Sqrt(error / size), 1e-6, largestShare);
    }

    [Fact]
    public void Weights_of_a_step_shrink()
    {
        TinyModel.Write(_folder);
        using var stored = Load(WeightType.Stored);
        using var int8 = Load(WeightType.Int8);
        using var int4 = Load(WeightType.Int4);
        Assert.InRange(int8.WeightBytesPerStep, stored.WeightBytesPerStep / 4, stored.WeightBytesPerStep / 2);
        Assert.InRange(int4.WeightBytesPerStep, stored.WeightBytesPerStep / 8, int8.WeightBytesPerStep);
    }

    [Fact]
    public void A_GPU_refuses_by_name()
    {
        TinyModel.Write(_folder);
        var config = ModelConfig.Load(Path.Combine(_folder.Root, "config.json"));
        var options = new ModelRunnerOptions { Model = _folder.Root, Device = "cuda" };
        Assert.Contains("Int4 is not supported on a GPU", Assert.Throws<ArgumentException>(() => BackendFactory.Create(options with { WeightType = WeightType.Int4 }, config)).Message, StringComparison.Ordinal);
        Assert.Contains("QuantizeActivations", Assert.Throws<ArgumentException>(() => BackendFactory.Create(options with { QuantizeActivations = true }, config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_older_quantize_config_counts_and_what_its_tensors_lack_is_named()
    {
        TinyModel.Write(_folder, "{}", (name, _) => name != "model.layers.1.mlp.up_proj.weight");
        _folder.Write("quantize_config.json", """{ "bits": 4, "group_size": 32, "desc_act": false }""");
        Assert.Contains("gptq, 4 bits", ModelConfig.Load(Path.Combine(_folder.Root, "config.json")).Quantization?.Description, StringComparison.Ordinal);
        Assert.Contains("'model.layers.1.mlp.up_proj.weight' [96, 64] is missing", Assert.Throws<ModelLoadException>(() => Load(WeightType.Stored)).Message, StringComparison.Ordinal);
    }

    private ModelRunner Load(WeightType type) => ModelRunner.Load(new ModelRunnerOptions { Model = _folder.Root, BlockCount = 8, MaxBatchTokens = 64, Threads = 2, WeightType = type });

    /// <summary>Logits of the last of <paramref name="tokens"/> tokens.</summary>
    internal static float[] Run(ModelRunner runner, int tokens, int chunk)
    {
        var batch = new Batch(64, 1, 4);
        for (var start = 0; ; start += chunk)
        {
            var end = Math.Min(start + chunk, tokens);
            batch.Clear();
            batch.ReturnLogits = true;
            batch.SequenceCount = 1;
            for (var position = start; position < end; position++)
            {
                batch.TokenIds[batch.TokenCount] = (position * 37) % 100;
                batch.Positions[batch.TokenCount] = position;
                batch.SlotMapping[batch.TokenCount++] = position;
            }

            for (var block = 0; block < 4; block++)
            {
                batch.BlockTables[block] = block;
            }

            batch.ContextLengths[0] = end;
            batch.QueryStarts[1] = batch.TokenCount;
            if (end == tokens)
            {
                batch.SampleRows.Add(new SampleRow { TokenIndex = batch.TokenCount - 1, Parameters = new SamplingParameters { Temperature = 0 } });
            }

            runner.Submit(batch);
            var output = runner.Collect();
            if (end == tokens)
            {
                return output.Logits;
            }
        }
    }
}
