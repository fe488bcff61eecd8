using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>Logits and greedy tokens of reference models, through the step runner, in every way a scheduler may cut the work.</summary>
public sealed class ModelGoldenTests(ITestOutputHelper output)
{
    /// <summary>fp32 arithmetic differs by the order of additions alone: 1e-5 to 1e-4 at these sizes.</summary>
    private const double LogitTolerance = 1e-3;

    public static TheoryData<string> Cases => [.. GoldenFolder.Models.Keys];

    [Fact]
    public void Cases_are_found()
    {
        Assert.NotEmpty(GoldenFolder.Models);
        var unsupported = new List<string>();
        foreach (var (name, folder) in GoldenFolder.Models)
        {
            if (WhyUnsupported(folder) is { } reason)
            {
                unsupported.Add($"{name}: {reason}");
            }
        }

        output.WriteLine($"{GoldenFolder.Models.Count} cases in '{GoldenFolder.Root}', {unsupported.Count} not supported yet:");
        unsupported.ForEach(output.WriteLine);
        Assert.NotEqual(GoldenFolder.Models.Count, unsupported.Count);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void One_by_one_and_whole_prompts(string name) => Check(name, chunk: int.MaxValue, together: false, blockSize: 16);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Together_and_whole_prompts(string name) => Check(name, chunk: int.MaxValue, together: true, blockSize: 16);

    [Theory]
    [MemberData(nameof(Cases))]
    public void One_by_one_in_chunks(string name)
    {
        foreach (var chunk in (int[])[1, 7, 16])
        {
            Check(name, chunk, together: false, blockSize: 16);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Together_in_chunks(string name)
    {
        foreach (var chunk in (int[])[1, 7, 16])
        {
            Check(name, chunk, together: true, blockSize: 16);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Other_block_sizes(string name)
    {
        foreach (var blockSize in (int[])[1, 5, 8, 32, 64, 256])
        {
            Check(name, chunk: 11, together: true, blockSize);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Mapped_weights_and_other_thread_counts(string name)
    {
        foreach (var threads in (int[])[1, 3])
        {
            Check(name, chunk: int.MaxValue, together: true, blockSize: 16, options => options with { Threads = threads, WeightPlacement = WeightPlacement.Mapped });
        }
    }

    /// <summary>Keys and values rounded to 16 bits move the logits of these models, whose random weights amplify it, by a few hundredths on average, in fp16 by an eighth of that; a wrong mask, scale or position moves them by whole units. Not so where a token may be routed to another expert.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Narrow_kv_caches(string name)
    {
        var folder = GoldenFolder.Models[name];
        if (WhyUnsupported(folder) is { } reason)
        {
            Assert.Skip($"{name} is not supported yet: {reason}");
        }

        // Where tokens are routed to experts, rounding may route one otherwise.
        var isRouted = ModelConfig.Load(Path.Combine(folder, "config.json")).Moe is not null;
        using var golden = new GoldenCase(name, folder);
        foreach (var (type, meanTolerance) in ((KvCacheType, double)[])[(KvCacheType.Bf16, isRouted ? 0.5 : 0.15), (KvCacheType.Fp16, isRouted ? 0.1 : 0.02)])
        {
            using var runner = ModelRunner.Load(new ModelRunnerOptions { Model = folder, BlockSize = 16, BlockCount = 46, KvCacheType = type });
            var run = new GoldenRun(runner, golden) { Forced = true };
            run.Generate(chunk: 16, together: true);
            var sum = 0.0;
            var count = 0;
            for (var prompt = 0; prompt < golden.Prompts.Count; prompt++)
            {
                var expected = golden.Read<float>($"logits.{prompt}");
                for (var i = 0; i < expected.Length; i++)
                {
                    sum += Math.Abs(run.Logits[prompt][i / golden.VocabularySize][i % golden.VocabularySize] - expected[i]);
                    count++;
                }
            }

            output.WriteLine($"{name}, {type} cache: mean logit error {sum / count:G3}");
            Assert.True(sum / count <= meanTolerance, $"{name}: with a {type} cache logits are off by {sum / count:G3} on average, expected at most {meanTolerance}.");
        }
    }

    internal static string? WhyUnsupported(string folder)
    {
        try
        {
            ModelConfig.Load(Path.Combine(folder, "config.json"));
            return null;
        }
        catch (ModelLoadException exception) when (exception.IsUnsupported)
        {
            return exception.Message;
        }
    }

    private void Check(string name, int chunk, bool together, int blockSize, Func<ModelRunnerOptions, ModelRunnerOptions>? change = null)
    {
        var folder = GoldenFolder.Models[name];
        if (WhyUnsupported(folder) is { } reason)
        {
            Assert.Skip($"{name} is not supported yet: {reason}");
        }

        using var golden = new GoldenCase(name, folder);
        var options = new ModelRunnerOptions { Model = folder, BlockSize = blockSize, BlockCount = (600 / blockSize) + 8, KvCacheType = KvCacheType.Fp32 };
        using var runner = ModelRunner.Load(change is null ? options : change(options));
        var run = new GoldenRun(runner, golden);
        run.Generate(chunk, together);

        var where = $"{name}, chunk {chunk}, {(together ? "together" : "one by one")}, block size {blockSize}";
        var worst = CompareLogits(golden, run, where, runner);
        for (var prompt = 0; prompt < golden.Prompts.Count; prompt++)
        {
            var expected = golden.Tokens.AsSpan(prompt * golden.GeneratedPerPrompt, golden.GeneratedPerPrompt).ToArray();
            Assert.Equal(expected, run.Tokens[prompt]);
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.Equal(golden.Logprobs[(prompt * golden.GeneratedPerPrompt) + i], run.Logprobs[prompt][i], LogitTolerance);
            }
        }

        output.WriteLine($"{where}: largest logit error {worst:G3}");
    }

    private static double CompareLogits(GoldenCase golden, GoldenRun run, string where, ModelRunner runner)
    {
        var worst = 0.0;
        for (var prompt = 0; prompt < golden.Prompts.Count; prompt++)
        {
            var expected = golden.Read<float>($"logits.{prompt}");
            for (var i = 0; i < expected.Length; i++)
            {
                var actual = run.Logits[prompt][i / golden.VocabularySize][i % golden.VocabularySize];
                var error = Math.Abs((double)actual - expected[i]);
                worst = Math.Max(worst, error);
                if (!(error <= LogitTolerance))
                {
                    Assert.Fail($"{where}: logits.{prompt}[{i / golden.VocabularySize}, {i % golden.VocabularySize}] is {actual}, expected {expected[i]} ± {LogitTolerance}. {HiddenBisection.Describe(golden, runner)}");
                }
            }
        }

        return worst;
    }
}
