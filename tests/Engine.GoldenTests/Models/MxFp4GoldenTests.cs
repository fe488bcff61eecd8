using System.Text.Json.Nodes;
using Fastgen.Engine.Backends;
using Fastgen.Engine.GoldenTests.Models.Rewriting;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Inspection;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>gpt-oss with its experts in MXFP4, as it is published: the same logits as with the values that the blocks stand for.</summary>
/// <remarks>Blocks are made and read here by the definition of OCP's Microscaling Formats, in float64.</remarks>
public sealed class MxFp4GoldenTests(ITestOutputHelper output)
{
    private const int Block = 32;

    public static TheoryData<string> Cases => [.. Names];

    internal static IEnumerable<string> Names =>
        RewrittenModel.Cases((architecture, method) => architecture == "GptOssForCausalLM" && method is null);

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Cases))]
    public void Logits_are_those_of_the_values_in_the_blocks(string name)
    {
        using var padded = new RewrittenModel(name);
        using var plain = new RewrittenModel(name);
        using var packed = new RewrittenModel(name);
        PadToBlocks(padded);
        Round(plain, packed);
        var (original, wider, expected, actual) = (plain.OriginalLogits(), padded.Logits(), plain.Logits(), packed.Logits());
        Assert.InRange(RewrittenModel.Difference(original, wider), 0, 1e-3);
        Assert.InRange(RewrittenModel.Difference(expected, actual), 0, 1e-4);

        // Rounding to four bits does something, so that the blocks are what was read.
        output.WriteLine($"{name}: rounded {RewrittenModel.Difference(original, expected):G3}, packed against plain {RewrittenModel.Difference(expected, actual):G3}");
        Assert.True(RewrittenModel.Difference(original, expected) > 0.1);

        var report = ModelInspection.Read(packed.Folder);
        Assert.Equal("", string.Join('\n', report.Problems));
        Assert.Equal("mxfp4, blocks of 32", report.Architecture!.Quantization);
        Assert.Contains(report.Weights!.Types, type => type.Type == "U8");
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Cases))]
    public void Experts_stay_packed_and_plain_ones_follow_the_weight_type(string name)
    {
        using var plain = new RewrittenModel(name);
        using var packed = new RewrittenModel(name);
        Round(plain, packed);
        plain.Save();
        packed.Save();
        var (hidden, width, layers, chosen) = (Number("hidden_size"), Number("intermediate_size"), Number("num_hidden_layers"), Number("num_experts_per_tok"));
        var numbers = 3L * hidden * width * layers * chosen;

        // 16 bits a number in the plain form; in blocks 4.5, and room to whole lines, which is much for narrow experts.
        var stored = BytesPerStep(plain, WeightType.Stored);
        Assert.InRange(stored - BytesPerStep(packed, WeightType.Stored), numbers, numbers * 23 / 16);

        // What is in blocks stays so; everything else is halved or more.
        Assert.InRange(stored - BytesPerStep(plain, WeightType.Int8), numbers * 6 / 10, stored * 3 / 4);
        Assert.InRange(BytesPerStep(packed, WeightType.Int8), numbers / 2, BytesPerStep(packed, WeightType.Stored));

        int Number(string key) => plain.Config[key]!.GetValue<int>();

        static long BytesPerStep(RewrittenModel model, WeightType type)
        {
            using var runner = ModelRunner.Load(new ModelRunnerOptions { Model = model.Folder, Device = "cpu", BlockCount = 8, WeightType = type, WeightPlacement = WeightPlacement.Copied });
            return runner.WeightBytesPerStep;
        }
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Cases))]
    public void Blocks_that_do_not_fit_are_named(string name)
    {
        using var model = new RewrittenModel(name);
        PadToBlocks(model);
        Round(model, isPacked: true);
        model.Config["quantization_config"] = new JsonObject { ["quant_method"] = "mxfp4" };
        const string Key = "model.layers.0.mlp.experts.down_proj_scales";
        var scales = model.Tensors[Key];
        model.Tensors[Key] = scales with { Shape = [scales.Shape[0], scales.Shape[1] / 2, scales.Shape[2]], Data = scales.Data[..(scales.Data.Length / 2)] };
        Assert.Contains($"'{Key}' is U8", Assert.Throws<ModelLoadException>(() => model.Logits()).Message, StringComparison.Ordinal);

        model.Tensors[Key] = scales with { Data = [255, .. scales.Data[1..]] };
        Assert.Contains("holds NaN or infinity: the scale of row 0, group 0", Assert.Throws<ModelLoadException>(() => model.Logits()).Message, StringComparison.Ordinal);
    }

    /// <summary>Rounds the experts of both: one keeps the values, one the blocks.</summary>
    internal static void Round(RewrittenModel plain, RewrittenModel packed)
    {
        PadToBlocks(plain);
        PadToBlocks(packed);
        Round(plain, isPacked: false);
        Round(packed, isPacked: true);
        packed.Config["quantization_config"] = JsonNode.Parse("""
            { "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"], "quant_method": "mxfp4" }
            """);
    }

    /// <summary>Makes all that experts multiply as wide as whole blocks are, with zeros that change nothing.</summary>
    private static void PadToBlocks(RewrittenModel model)
    {
        var (hidden, width) = (model.Config["hidden_size"]!.GetValue<int>(), model.Config["intermediate_size"]!.GetValue<int>());
        var (widerHidden, wider) = (Blocks(hidden), Blocks(width));
        model.Config["hidden_size"] = widerHidden;
        model.Config["intermediate_size"] = wider;

        // A mean over more numbers, of which the new ones are zero, is smaller by this.
        var share = (double)hidden / widerHidden;
        model.Config["rms_norm_eps"] = model.Config["rms_norm_eps"]!.GetValue<double>() * share;
        foreach (var (key, tensor) in model.Tensors.ToList())
        {
            var parts = key.Split('.');
            model.Tensors[key] = (parts[^1] is "weight" or "bias" ? parts[^2] + '.' + parts[^1] : parts[^1]) switch
            {
                "embed_tokens.weight" or "lm_head.weight" or "q_proj.weight" or "k_proj.weight" or "v_proj.weight" or "router.weight" => Pad(tensor, 1, widerHidden),
                "o_proj.weight" or "o_proj.bias" => Pad(tensor, 0, widerHidden),
                "input_layernorm.weight" or "post_attention_layernorm.weight" or "norm.weight" =>
                    Pad(RewrittenTensor.Floats(tensor.Shape, Array.ConvertAll(tensor.ToFloats(), value => (float)(value * Math.Sqrt(share)))), 0, widerHidden),
                "gate_up_proj" => Pad(Pad(tensor, 1, widerHidden), 2, 2 * wider),
                "gate_up_proj_bias" => Pad(tensor, 1, 2 * wider),
                "down_proj" => Pad(Pad(tensor, 1, wider), 2, widerHidden),
                "down_proj_bias" => Pad(tensor, 1, widerHidden),
                _ => tensor,
            };
        }

        static int Blocks(int size) => (size + Block - 1) / Block * Block;
    }

    private static RewrittenTensor Pad(RewrittenTensor tensor, int axis, int size)
    {
        var values = tensor.ToFloats();
        var inner = (int)tensor.Shape[(axis + 1)..].Aggregate(1L, (product, dimension) => product * dimension);
        var (before, after) = ((int)tensor.Shape[axis] * inner, size * inner);
        var result = new float[values.Length / before * after];
        for (var row = 0; row < values.Length / before; row++)
        {
            values.AsSpan(row * before, before).CopyTo(result.AsSpan(row * after));
        }

        long[] shape = [.. tensor.Shape];
        shape[axis] = size;
        return RewrittenTensor.Floats(shape, result);
    }

    /// <summary>Rounds every expert's matrices [inputs, outputs] along their inputs, and stores them as values or as blocks.</summary>
    private static void Round(RewrittenModel model, bool isPacked)
    {
        foreach (var key in model.Tensors.Keys.Where(key => key.EndsWith(".experts.gate_up_proj", StringComparison.Ordinal) || key.EndsWith(".experts.down_proj", StringComparison.Ordinal)).ToList())
        {
            var tensor = model.Tensors[key];
            var values = tensor.ToFloats();
            var (experts, inputs, outputs) = ((int)tensor.Shape[0], (int)tensor.Shape[1], (int)tensor.Shape[2]);
            var (blocks, scales) = (new byte[values.Length / 2], new byte[values.Length / Block]);
            for (var expert = 0; expert < experts; expert++)
            {
                for (var o = 0; o < outputs; o++)
                {
                    for (var start = 0; start < inputs; start += Block)
                    {
                        var places = Enumerable.Range(start, Block).Select(input => (((expert * inputs) + input) * outputs) + o).ToArray();
                        var largest = places.Max(place => Math.Abs((double)values[place]));

                        // The largest number's exponent less that of the largest code, 6 = 1.5 × 2².
                        var exponent = largest == 0 ? 0 : (int)Math.Floor(Math.Log2(largest)) - 2;
                        var row = (expert * outputs) + o;
                        scales[((row * inputs) + start) / Block] = (byte)(exponent + 127);
                        for (var i = 0; i < Block; i++)
                        {
                            var code = Nearest(values[places[i]] / Math.Pow(2, exponent));
                            blocks[((row * inputs) + start + i) / 2] |= (byte)(code << (4 * (i % 2)));
                            values[places[i]] = (float)(Decode(code) * Math.Pow(2, exponent));
                        }
                    }
                }
            }

            if (isPacked)
            {
                model.Tensors.Remove(key);
                model.Tensors.Add(key + "_blocks", new RewrittenTensor("U8", [experts, outputs, inputs / Block, Block / 2], blocks));
                model.Tensors.Add(key + "_scales", new RewrittenTensor("U8", [experts, outputs, inputs / Block], scales));
            }
            else
            {
                // Every value has at most two bits of mantissa, which bf16 holds.
                model.Tensors[key] = RewrittenTensor.Of("BF16", tensor.Shape, Array.ConvertAll(values, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)));
            }
        }
    }

    private static int Nearest(double value) => Enumerable.Range(0, 16).MinBy(code => Math.Abs(Decode(code) - value));

    /// <summary>Section 5.3.3: a sign, two bits of exponent with the bias 1, one of mantissa; exponent 0 is subnormal.</summary>
    private static double Decode(int code)
    {
        var (sign, exponent, mantissa) = ((code & 8) == 0 ? 1 : -1, (code >> 1) & 3, code & 1);
        return sign * (exponent == 0 ? mantissa / 2.0 : (1 + (mantissa / 2.0)) * Math.Pow(2, exponent - 1));
    }
}
