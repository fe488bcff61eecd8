using System.Globalization;
using Fastgen.Engine.GoldenTests.Models.Rewriting;
using Fastgen.Engine.Model.Inspection;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>Mixtures of experts and latent attention in the formats that they are published in: the same logits as with the values that the codes stand for.</summary>
public sealed class QuantizedExpertsGoldenTests(ITestOutputHelper output)
{
    /// <summary>fp32 arithmetic differs by the order of additions alone.</summary>
    private const double LogitTolerance = 1e-3;

    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var name in Names)
            {
                foreach (var format in QuantizedWriter.All.Keys)
                {
                    data.Add(name, format);
                }
            }

            return data;
        }
    }

    internal static IEnumerable<string> Names =>
        RewrittenModel.Cases((architecture, method) => method is null && (architecture is "MixtralForCausalLM" or "Qwen3MoeForCausalLM" or "DeepseekV2ForCausalLM" or "DeepseekV3ForCausalLM"));

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Cases))]
    public void Logits_are_those_of_the_values_in_the_codes(string name, string format)
    {
        using var plain = new RewrittenModel(name);
        using var packed = new RewrittenModel(name);
        var writer = QuantizedWriter.All[format];
        var values = writer.Quantize(packed);
        Assert.Contains(values.Keys, key => key.Contains(".experts.", StringComparison.Ordinal));

        // Formats that pack several numbers do not fit every size.
        var isLatent = plain.Config["kv_lora_rank"] is not null && !format.StartsWith("awq", StringComparison.Ordinal) && !format.StartsWith("gptq", StringComparison.Ordinal);
        Assert.True(!isLatent || values.Keys.Any(key => key.EndsWith(".kv_b_proj.weight", StringComparison.Ordinal)));
        foreach (var (key, tensor) in values)
        {
            plain.Tensors[key] = tensor;
        }

        var (original, expected, actual) = (plain.OriginalLogits(), plain.Logits(), packed.Logits());
        var (rounding, packing) = (RewrittenModel.Difference(original, expected), RewrittenModel.Difference(expected, actual));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}, {format}: rounded {rounding:G3}, packed against plain {packing:G3}"));
        Assert.InRange(packing, 0, LogitTolerance);
        Assert.True(rounding > LogitTolerance, "rounding changed nothing, so nothing was proven");

        var report = ModelInspection.Read(packed.Folder);
        Assert.Equal("", string.Join('\n', report.Problems));
        Assert.NotNull(report.Architecture!.Quantization);
    }
}
