using System.Globalization;
using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>What quantised checkpoints hold, number by number, and logits where activations are rounded too.</summary>
public sealed unsafe class QuantizedGoldenTests(ITestOutputHelper output)
{
    public static TheoryData<string> Cases => [.. GoldenFolder.Models.Keys.Where(name => name.Split('/')[^1].StartsWith("q_", StringComparison.Ordinal))];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Cases))]
    public void Weights_are_the_reference_s_to_the_bit(string name)
    {
        var folder = GoldenFolder.Models[name];
        using var golden = new GoldenCase(name, folder);
        var config = ModelConfig.Load(Path.Combine(folder, "config.json"));
        Assert.NotNull(config.Quantization);
        using var checkpoint = Checkpoint.Open(folder, config.Quantization);
        var compared = 0;
        foreach (var expected in WeightLoader.ExpectedTensors(config))
        {
            var key = $"dequant.{expected.Name}.rows0_3";
            if (!golden.Has(key))
            {
                continue;
            }

            var tensor = checkpoint.OpenQuantized(expected);
            Assert.NotNull(tensor);
            var rows = golden.Read<float>(key);
            var values = new float[rows.Length];
            fixed (float* target = values)
            {
                tensor.Dequantize(0, values.Length / tensor.Columns, target);
            }

            Assert.Equal(rows, values);
            compared++;
        }

        output.WriteLine($"{name}: {config.Quantization.Description}; {compared} matrices compared");
        Assert.True(compared > 0, "no matrix was compared");
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Cases))]
    public void Logits_with_rounded_activations(string name)
    {
        var folder = GoldenFolder.Models[name];
        using var golden = new GoldenCase(name, folder);
        if (!golden.Has("actq.logits.0"))
        {
            Assert.Skip($"{name} has no logits with rounded activations.");
        }

        var options = new ModelRunnerOptions { Model = folder, BlockCount = 64, KvCacheType = KvCacheType.Fp32, QuantizeActivations = true };
        using var runner = ModelRunner.Load(options);
        var run = new GoldenRun(runner, golden) { Forced = true };
        run.Generate(int.MaxValue, together: false);
        var (sum, plain, count) = (0.0, 0.0, 0);
        List<double> rows = [];
        for (var prompt = 0; prompt < golden.Prompts.Count; prompt++)
        {
            var expected = golden.Read<float>($"actq.logits.{prompt}");
            var unrounded = golden.Read<float>($"logits.{prompt}");
            for (var i = 0; i < expected.Length; i++)
            {
                var error = Math.Abs(run.Logits[prompt][i / golden.VocabularySize][i % golden.VocabularySize] - (double)expected[i]);
                if (i % golden.VocabularySize == 0)
                {
                    rows.Add(0);
                }

                rows[^1] = Math.Max(rows[^1], error);
                sum += error;
                plain += Math.Abs(unrounded[i] - (double)expected[i]);
                count++;
            }
        }

        output.WriteLine($"{name}: mean error {sum / count:G3}, by row {string.Join(' ', rows.Select(row => row.ToString("G3", CultureInfo.InvariantCulture)))}; rounding moves logits by {plain / count:G3}");

        // Where a number lies at the border of two 8-bit ones, the order of additions decides, and what follows moves with it. That
        // hits some rows, the longer the prompt the more; what is rounded in another way hits all.
        Assert.True(2 * rows.Count(row => row < 1e-3) >= rows.Count, $"{name}: errors by row {string.Join(' ', rows)}");
        Assert.True(sum < 0.5 * plain, $"{name}: mean error {sum / count}, but rounding moves logits by {plain / count}");
    }
}
