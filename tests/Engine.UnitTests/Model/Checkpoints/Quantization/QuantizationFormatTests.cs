using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints.Quantization;

public sealed unsafe class QuantizationFormatTests
{
    public static TheoryData<string> Names => SampleCatalog.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Values_are_those_of_the_format(string name)
    {
        var sample = SampleCatalog.All[name]();
        List<string> problems = [];
        var tensor = sample.Open(problems);
        Assert.Empty(problems);
        Assert.NotNull(tensor);
        Assert.Null(tensor.FindNonFinite());
        var values = new float[sample.Values.Length];
        fixed (float* target = values)
        {
            // In two pieces, so that rows in the middle are read too.
            var middle = tensor.Rows / 2;
            tensor.Dequantize(0, middle, target);
            tensor.Dequantize(middle, tensor.Rows - middle, target + (middle * tensor.Columns));
        }

        Assert.Equal(sample.Values, values);
        sample.Tensors.KeepAlive();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Damaged_tensors_are_named_and_never_read(string name)
    {
        foreach (var tensor in SampleCatalog.All[name]().Tensors.Names)
        {
            var shape = SampleCatalog.All[name]().Tensors.Shape(tensor);
            List<(string? Type, long[]? Dimensions)> damages = [("I16", null), (null, [.. shape.Dimensions, 2])];
            if (shape.Dimensions.Count > 0)
            {
                damages.Add((null, [shape.Dimensions[0] + 8, .. shape.Dimensions.Skip(1)]));
                damages.Add((null, [.. shape.Dimensions.SkipLast(1), shape.Dimensions[^1] + 1]));
                damages.Add((null, [0]));
            }

            foreach (var (type, dimensions) in damages)
            {
                var sample = SampleCatalog.All[name]();
                sample.Tensors.Relabel(tensor, type, dimensions);
                List<string> problems = [];
                Assert.Null(sample.Open(problems));

                // A plain matrix of a wrong dtype is the checkpoint's to refuse.
                Assert.True(problems.Any(problem => problem.Contains($"'{tensor}'", StringComparison.Ordinal)) || (tensor.EndsWith(".weight", StringComparison.Ordinal) && type is not null),
                    $"{name}: '{tensor}' as {type} [{string.Join(", ", dimensions ?? shape.Dimensions)}]: {string.Join("; ", problems)}");
            }
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    public void Group_indices_beyond_the_groups_are_refused(int index)
    {
        var sample = QuantizedSample.Gptq(8, 96, 32, 4, isV2: false, isSymmetric: true);
        sample.Tensors.Add($"{QuantizedSample.Module}.g_idx", "I32", [96], Enumerable.Range(0, 96).Select(column => column == 77 ? index : column / 32).ToArray());
        List<string> problems = [];
        Assert.Null(sample.Open(problems));
        Assert.Contains($"puts column 77 in group {index}, but there are 3", Assert.Single(problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_that_are_not_finite_are_found()
    {
        var sample = QuantizedSample.Fp8Static(20, 64);
        var bytes = new byte[20 * 64];
        bytes[(3 * 64) + 9] = 0xFF;
        sample.Tensors.Add($"{QuantizedSample.Module}.weight", "F8_E4M3", [20, 64], bytes);
        Assert.Equal("element [3, 9]", sample.Open([])!.FindNonFinite());
        sample.Tensors.Add($"{QuantizedSample.Module}.weight_scale", "F32", [], new[] { float.PositiveInfinity });
        Assert.Equal("the scale of row 0, group 0", sample.Open([])!.FindNonFinite());
    }

    [Fact]
    public void Every_scale_of_mxfp4_is_a_power_of_two_and_the_last_is_none()
    {
        var sample = QuantizedSample.MxFp4(8, 32, 32);
        sample.Tensors.Add($"{QuantizedSample.Module}_scales", "U8", [8, 32, 1], Enumerable.Range(0, 256).Select(code => (byte)code).ToArray());
        var tensor = sample.Open([])!;
        for (var code = 0; code < 255; code++)
        {
            Assert.Equal(Math.Pow(2, code - 127), tensor.Scale(code, 0));
        }

        Assert.Equal("the scale of row 255, group 0", tensor.FindNonFinite());
    }

    [Fact]
    public void Rows_of_a_stack_are_matrices()
    {
        var sample = QuantizedSample.MxFp4(2, 6, 64);
        var odd = new QuantizedRows("odd", sample.Open([])!, first: 7, rows: 3, step: 2);
        var values = new float[3 * 64];
        fixed (float* target = values)
        {
            odd.Dequantize(0, 1, target);
            odd.Dequantize(1, 2, target + 64);
        }

        Assert.Equal([.. sample.Values[(7 * 64)..(8 * 64)], .. sample.Values[(9 * 64)..(10 * 64)], .. sample.Values[(11 * 64)..]], values);
        sample.Tensors.KeepAlive();
    }

    [Theory]
    [InlineData("blocks", new long[] { 2, 6, 2, 15 }, "expected U8 [2, 6, 2, 16]")]
    [InlineData("blocks", new long[] { 2, 6, 32 }, "expected U8 [2, 6, 2, 16]")]
    [InlineData("blocks", new long[] { 2, 2, 6, 16 }, "expected U8 [2, 6, 2, 16]")]
    [InlineData("scales", new long[] { 2, 6, 2, 1 }, "expected U8 or F8_E8M0 [2, 6, 2]")]
    [InlineData("scales", new long[] { 6, 2 }, "expected U8 or F8_E8M0 [2, 6, 2]")]
    public void Blocks_of_other_shapes_are_refused(string part, long[] shape, string problem)
    {
        var sample = QuantizedSample.MxFp4(2, 6, 64);
        sample.Tensors.Relabel($"{QuantizedSample.Module}_{part}", null, shape);
        List<string> problems = [];
        Assert.Null(sample.Open(problems));
        Assert.Contains(problem, Assert.Single(problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Blocks_that_do_not_fill_the_inputs_or_lack_scales_are_refused()
    {
        var sample = QuantizedSample.MxFp4(2, 6, 64);
        List<string> problems = [];
        Assert.Null(sample.Format.Open(sample.Expected with { Rows = 2 * 48 }, sample.Tensors.Find, problems));
        Assert.Contains("holds 32 inputs a block, but the matrices have 48", Assert.Single(problems), StringComparison.Ordinal);
        sample.Tensors.Remove($"{QuantizedSample.Module}_scales");
        problems.Clear();
        Assert.Null(sample.Open(problems));
        Assert.Contains("m.proj_scales' U8 or F8_E8M0 [2, 6, 2] is missing", Assert.Single(problems), StringComparison.Ordinal);
        sample.Tensors.Remove($"{QuantizedSample.Module}_blocks");
        problems.Clear();
        Assert.Null(sample.Open(problems));
        Assert.Empty(problems);
    }

    [Theory]
    [InlineData("""{ "quant_method": "bitsandbytes" }""", "bitsandbytes", "awq (gemm), gptq, compressed-tensors")]
    [InlineData("""{ "quant_method": "nvfp4" }""", "nvfp4", "fp8 and mxfp4")]
    [InlineData("""{ "quant_method": "awq", "version": "gemv" }""", "gemv", "gemm")]
    [InlineData("""{ "quant_method": "awq", "bits": 3 }""", "3", "4")]
    [InlineData("""{ "quant_method": "gptq", "bits": 3 }""", "3", "4, 8")]
    [InlineData("""{ "quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin" }""", "marlin", "gptq, gptq_v2")]
    [InlineData("""{ "quant_method": "gptq", "bits": 4, "dynamic": { "-:x": {}, "+:y": { "bits": 8 } } }""", "+:y", "leave modules out")]
    [InlineData("""{ "quant_method": "fp8", "fmt": "e5m2" }""", "e5m2", "e4m3")]
    [InlineData("""{ "quant_method": "fp8", "activation_scheme": "static", "weight_block_size": [128, 128] }""", "static", "dynamic")]
    public void What_is_not_supported_is_named_with_what_is(string config, string value, string supported)
    {
        var exception = Assert.Throws<ModelLoadException>(() => QuantizationFormat.Read(ConfigText.Parse(config)));
        Assert.True(exception.IsUnsupported);
        Assert.Contains($"'{value}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(supported, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nvfp4-pack-quantized", """{ "num_bits": 4, "type": "float" }""", "", "nvfp4-pack-quantized")]
    [InlineData("marlin-24", """{ "num_bits": 4 }""", "", "marlin-24")]
    [InlineData("pack-quantized", """{ "num_bits": 3, "strategy": "channel" }""", "", "3 (int, pack-quantized)")]
    [InlineData("int-quantized", """{ "num_bits": 4, "strategy": "channel" }""", "", "4 (int, int-quantized)")]
    [InlineData("float-quantized", """{ "num_bits": 8, "type": "float", "strategy": "attn_head" }""", "", "attn_head")]
    [InlineData("int-quantized", """{ "num_bits": 8 }""", """, "sparsity_config": { "format": "sparse-24-bitmask" }""", "sparse-24-bitmask")]
    public void What_compressed_tensors_has_beyond_is_named(string format, string weights, string more, string value)
    {
        var exception = Assert.Throws<ModelLoadException>(() => QuantizationFormat.Read(ConfigText.Parse(QuantizedSample.CompressedTensors(format, weights, more))));
        Assert.True(exception.IsUnsupported);
        Assert.Contains($"'{value}'", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Layers_take_the_scheme_that_targets_them_and_ignored_ones_none()
    {
        const string Config = """
            { "quant_method": "compressed-tensors", "format": "int-quantized", "ignore": ["lm_head", "re:.*skipped$"], "config_groups": {
              "a": { "targets": ["Linear"], "weights": { "num_bits": 8, "type": "int", "strategy": "channel" } },
              "b": { "targets": ["re:.*down.*"], "format": "float-quantized", "weights": { "num_bits": 8, "type": "float", "strategy": "tensor" } } } }
            """;
        var format = QuantizationFormat.Read(ConfigText.Parse(Config));
        var tensors = new RawTensors()
            .Add("l.up.weight", "I8", [4, 32], new sbyte[128]).Add("l.up.weight_scale", "F32", [4, 1], new float[4])
            .Add("l.down.weight", "F8_E4M3", [4, 32], new byte[128]).Add("l.down.weight_scale", "F32", [1], new float[1])
            .Add("l.skipped.weight", "I8", [4, 32], new sbyte[128]).Add("l.skipped.weight_scale", "F32", [4, 1], new float[4]);
        List<string> problems = [];
        Assert.Equal(QuantizedCode.Int8, format.Open(new ExpectedTensor("l.up.weight", 4, 32), tensors.Find, problems)?.Code);
        Assert.Equal(QuantizedCode.Fp8, format.Open(new ExpectedTensor("l.down.weight", 4, 32), tensors.Find, problems)?.Code);
        Assert.Null(format.Open(new ExpectedTensor("l.skipped.weight", 4, 32), tensors.Find, problems));
        Assert.Empty(problems);
    }

    [Fact]
    public void A_pattern_cannot_take_long()
    {
        var hostile = QuantizedSample.CompressedTensors("int-quantized", """{ "num_bits": 8 }""").Replace("\"lm_head\"", "\"re:(a+)+$\"", StringComparison.Ordinal);
        var format = QuantizationFormat.Read(ConfigText.Parse(hostile));
        Assert.Null(format.Open(new ExpectedTensor(new string('a', 50_000) + "b.weight", 4, 4), _ => null, []));
        var lookAhead = hostile.Replace("(a+)+$", "(?=a)", StringComparison.Ordinal);
        Assert.Contains("look-around", Assert.Throws<ModelLoadException>(() => QuantizationFormat.Read(ConfigText.Parse(lookAhead))).Message, StringComparison.Ordinal);
    }
}
