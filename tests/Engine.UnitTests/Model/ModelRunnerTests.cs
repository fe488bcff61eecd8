using Fastgen.Engine.Backends;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;
using Fastgen.Engine.Sampling;
using Fastgen.Engine.UnitTests.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model;

public sealed class ModelRunnerTests : IDisposable
{
    private const string Window = """{ "architectures": ["MistralForCausalLM"], "sliding_window": 9 }""";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("{}", KvCacheType.Auto)]
    [InlineData(Window, KvCacheType.Auto)]
    [InlineData("{}", KvCacheType.Bf16)]
    public void A_sequence_has_the_same_bits_whatever_else_runs_and_however_it_is_cut(string configChanges, KvCacheType kvCacheType)
    {
        TinyModel.Write(_folder, configChanges);
        var prompt = Enumerable.Range(0, 45).Select(i => (i * 37) % 100).ToArray();
        var other = Enumerable.Range(0, 30).Select(i => (i * 11) % 100).ToArray();
        using var runner = Load(options => options with { KvCacheType = kvCacheType });
        var whole = Run(runner, prompt, [45]);
        Assert.Equal(whole, Run(runner, prompt, [1, 7, 16, 20, 1]));
        Assert.Equal(whole, Run(runner, prompt, [45], other));
        Assert.Equal(whole, Run(runner, prompt, [3, 41, 1], other));
        using var single = Load(options => options with { KvCacheType = kvCacheType, Threads = 1 });
        Assert.Equal(whole, Run(single, prompt, [30, 15], other));
    }

    [Theory]
    [InlineData("model.layers.1.mlp.down_proj.weight", 70, float.NaN, "[0, 70]")]
    [InlineData("model.norm.weight", 3, float.PositiveInfinity, "[0, 3]")]
    [InlineData("lm_head.weight", 200, float.NegativeInfinity, "[3, 8]")]
    public void Weights_that_are_not_finite_are_found(string tensor, int index, float value, string place)
    {
        TinyModel.Write(_folder, "{}", (name, values) =>
        {
            if (name == tensor)
            {
                values[index] = value;
            }

            return true;
        });
        var message = Assert.Throws<ModelLoadException>(() => Load()).Message;
        Assert.Contains($"'{tensor}' holds NaN or infinity at element {place}", message, StringComparison.Ordinal);
        Load(options => options with { ScanWeights = false }).Dispose();
    }

    [Fact]
    public void Logits_that_are_not_finite_are_flagged()
    {
        TinyModel.Write(_folder, "{}", (name, values) =>
        {
            if (name == "model.norm.weight")
            {
                values[0] = float.NaN;
            }

            return true;
        });
        using var runner = Load(options => options with { ScanWeights = false });
        var batch = NewBatch();
        AddSequence(batch, [1, 2, 3], 0, 3, 0, sample: true);
        runner.Submit(batch);
        Assert.True(runner.Collect().NotFinite[0]);
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        TinyModel.Write(_folder, "{}", (name, _) => name != "model.layers.2.self_attn.k_proj.weight");
        Assert.Contains("'model.layers.2.self_attn.k_proj.weight' [32, 64] is missing", Assert.Throws<ModelLoadException>(() => Load()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_truncated_file_is_named()
    {
        TinyModel.Write(_folder);
        var path = Path.Combine(_folder.Root, "model.safetensors");
        using (var stream = File.OpenWrite(path))
        {
            stream.SetLength(stream.Length - 1);
        }

        Assert.Contains("model.safetensors", Assert.Throws<ModelLoadException>(() => Load()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Progress_ends_at_the_total()
    {
        TinyModel.Write(_folder);
        var reports = new List<LoadProgress>();
        ModelRunner.Load(Options(), new Recorder(reports)).Dispose();
        Assert.Equal(1, reports[^1].Fraction);
        Assert.True(reports.Count > 10);
        Assert.True(reports.Zip(reports.Skip(1)).All(pair => pair.First.LoadedBytes <= pair.Second.LoadedBytes));
    }

    [Fact]
    public void Dummy_weights_need_only_a_config()
    {
        _folder.Write("config.json", ConfigText.Llama);
        using var runner = Load(options => options with { DummyWeights = true });
        var first = Run(runner, [1, 2, 3], [3]);
        using var again = Load(options => options with { DummyWeights = true });
        Assert.Equal(first, Run(again, [1, 2, 3], [3]));
        Assert.InRange(first.Max() - first.Min(), 0.5f, 20f);
    }

    [Fact]
    public void The_KV_cache_takes_the_bytes_it_is_given()
    {
        TinyModel.Write(_folder);

        // 3 layers × 2 heads × 16 dimensions × 16 tokens × (key + value) × 4 bytes = 12,288 a block.
        using var runner = Load(options => options with { BlockCount = null, KvCacheBytes = 1_000_000 });
        Assert.Equal(81, runner.BlockCount);
        Assert.Contains("12,288", Assert.Throws<ModelLoadException>(() => Load(options => options with { BlockCount = null, KvCacheBytes = 1000 })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(100, 0, 0, "token id is 100")]
    [InlineData(-1, 0, 0, "token id is -1")]
    [InlineData(1, 20, 0, "KV slot is 320")]
    [InlineData(1, 0, 20, "block id is 20")]
    public void A_batch_that_does_not_fit_the_model_is_refused(int token, int slotBlock, int tableBlock, string problem)
    {
        TinyModel.Write(_folder);
        using var runner = Load();
        var batch = NewBatch();
        AddSequence(batch, [1], 0, 1, 0, sample: true);
        batch.TokenIds[0] = token;
        batch.SlotMapping[0] = slotBlock * 16;
        batch.BlockTables[0] = tableBlock;
        Assert.Contains(problem, Assert.Throws<ArgumentException>(() => runner.Submit(batch)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Copied_blocks_hold_what_was_copied()
    {
        TinyModel.Write(_folder);
        using var runner = Load();
        int[] tokens = [5, 6, 7, 8];
        var whole = Run(runner, tokens, [4]);
        var batch = NewBatch();
        AddSequence(batch, tokens, 0, 3, firstBlock: 0, sample: false);
        runner.Submit(batch);
        runner.Collect();
        batch.Clear();
        batch.BlockCopies.Add((0, 12));
        batch.ReturnLogits = true;
        AddSequence(batch, tokens, 3, 1, firstBlock: 12, sample: true);
        runner.Submit(batch);
        Assert.Equal(whole, runner.Collect().Logits);
    }

    [Fact]
    public void Sampled_tokens_are_fed_back_on_request()
    {
        TinyModel.Write(_folder);
        using var runner = Load();
        var batch = NewBatch();
        AddSequence(batch, [5, 6], 0, 2, 0, sample: true);
        runner.Submit(batch);
        var token = runner.Collect().TokenIds[0];
        var expected = Run(runner, [5, 6, token], [2, 1]);
        batch.Clear();
        batch.ReturnLogits = true;
        AddSequence(batch, [5, 6], 0, 2, 0, sample: true);
        runner.Submit(batch);
        runner.Collect();
        batch.Clear();
        batch.ReturnLogits = true;
        AddSequence(batch, [5, 6, 99], 2, 1, 0, sample: true);
        batch.Feedback.Add((0, 0));
        runner.Submit(batch);
        Assert.Equal(expected, runner.Collect().Logits);
    }

    [Fact]
    public void Sampling_some_tokens_gives_them_what_sampling_all_gives()
    {
        TinyModel.Write(_folder);
        using var runner = Load();
        int[][] prompts = [[5, 6, 7, 8, 9], [11, 12], [21]];
        var all = Rows(row => [.. Enumerable.Range(0, prompts[row].Length)]);
        // The first prompt's last token twice: two choices of a request begin from it.
        var chosen = Rows(row => row == 0 ? [4, 4] : [prompts[row].Length - 1]);
        Assert.Equal(5, chosen.Length);
        Assert.Equal([all[4], all[4], all[6], all[7]], chosen[..4]);
        Assert.Equal(Run(runner, [5, 6, 7, 8, 9, 10], [6]), chosen[4]);

        // Then one more token of the first, from the keys and values that either step left.
        float[][] Rows(Func<int, int[]> sampled)
        {
            var batch = NewBatch();
            batch.ReturnLogits = true;
            foreach (var (row, prompt) in prompts.Index())
            {
                var first = batch.TokenCount;
                AddSequence(batch, prompt, 0, prompt.Length, firstBlock: 4 * row, sample: false);
                foreach (var token in sampled(row))
                {
                    batch.SampleRows.Add(new SampleRow { TokenIndex = first + token, Parameters = new SamplingParameters { Temperature = 0 }, SequenceSlot = batch.SampleRows.Count });
                }
            }

            runner.Submit(batch);
            var rows = runner.Collect().Logits.Chunk(runner.VocabularySize).ToList();
            batch.Clear();
            batch.ReturnLogits = true;
            AddSequence(batch, [.. prompts[0], 10], 5, 1, firstBlock: 0, sample: true);
            runner.Submit(batch);
            return [.. rows, runner.Collect().Logits];
        }
    }

    [Fact]
    public void A_step_that_samples_nothing_leaves_its_keys_and_values()
    {
        TinyModel.Write(_folder);
        using var runner = Load();
        int[] prompt = [5, 6, 7, 8, 9];
        Assert.Equal(Run(runner, prompt, [5]), Run(runner, prompt, [2, 2, 1]));
    }

    private static Batch NewBatch() => new(64, 4, 8);

    /// <summary>Logits of the prompt's last token, the prompt cut as given, beside another prompt that runs token by token.</summary>
    private static float[] Run(ModelRunner runner, int[] prompt, int[] chunks, int[]? other = null)
    {
        var batch = NewBatch();
        var done = 0;
        foreach (var (step, count) in chunks.Index())
        {
            batch.Clear();
            batch.ReturnLogits = true;
            if (other is not null)
            {
                AddSequence(batch, other, step, 1, firstBlock: 8, sample: false);
            }

            AddSequence(batch, prompt, done, count, firstBlock: 2, sample: done + count == prompt.Length);
            done += count;
            runner.Submit(batch);
            var output = runner.Collect();
            if (done == prompt.Length)
            {
                return output.Logits;
            }
        }

        throw new ArgumentException($"The chunks hold {done} tokens, the prompt {prompt.Length}.", nameof(chunks));
    }

    private static void AddSequence(Batch batch, int[] tokens, int start, int count, int firstBlock, bool sample)
    {
        const int BlockSize = 16;
        var row = batch.SequenceCount++;
        batch.QueryStarts[row] = batch.TokenCount;
        for (var position = start; position < start + count; position++)
        {
            batch.TokenIds[batch.TokenCount] = tokens[position];
            batch.Positions[batch.TokenCount] = position;
            batch.SlotMapping[batch.TokenCount++] = (firstBlock * BlockSize) + position;
        }

        for (var block = 0; block < 4; block++)
        {
            batch.BlockTables[(row * batch.MaxBlocksPerSequence) + block] = firstBlock + block;
        }

        batch.ContextLengths[row] = start + count;
        batch.QueryStarts[row + 1] = batch.TokenCount;
        if (sample)
        {
            batch.SampleRows.Add(new SampleRow { TokenIndex = batch.TokenCount - 1, Parameters = new SamplingParameters { Temperature = 0 } });
        }
    }

    private ModelRunnerOptions Options() => new() { Model = _folder.Root, BlockCount = 20, MaxBatchTokens = 64, Threads = 3 };

    private ModelRunner Load(Func<ModelRunnerOptions, ModelRunnerOptions>? change = null) => ModelRunner.Load(change is null ? Options() : change(Options()));

    private sealed class Recorder(List<LoadProgress> reports) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => reports.Add(value);
    }
}
