namespace Fastgen.Engine.GoldenTests.Models.Rewriting;

/// <summary>Rounds a plain matrix and stores it as a format of quantised checkpoints does, by the format's own definition.</summary>
/// <remarks>Layouts: README of the golden data, and the sources that it names.</remarks>
internal sealed class QuantizedWriter
{
    private static readonly float[] Float8Values = [.. Enumerable.Range(0, 127).Select(DecodeFloat8)];

    private readonly Func<string, float[], int, int, (float[] Values, Dictionary<string, RewrittenTensor> Tensors)> _write;
    private readonly Func<int, int, bool> _fits;

    private QuantizedWriter(string config, Func<int, int, bool> fits, Func<string, float[], int, int, (float[] Values, Dictionary<string, RewrittenTensor> Tensors)> write)
    {
        Config = config;
        _fits = fits;
        _write = write;
    }

    /// <summary>By name, for tests.</summary>
    public static IReadOnlyDictionary<string, QuantizedWriter> All { get; } = new Dictionary<string, QuantizedWriter>(StringComparer.Ordinal)
    {
        ["awq"] = Awq(32),
        ["gptq"] = Gptq(32, isOrdered: false),
        ["gptq desc_act"] = Gptq(32, isOrdered: true),
        ["compressed-tensors int4"] = PackedInt4(32),
        ["compressed-tensors int8"] = CompressedTensors("int-quantized", "int", "I8", 127, value => (byte)(sbyte)Math.Clamp(MathF.Round(value), -127, 127), code => (sbyte)code),
        ["compressed-tensors fp8"] = CompressedTensors("float-quantized", "float", "F8_E4M3", 448, EncodeFloat8, WidenFloat8),
        ["fp8 blocks"] = Float8Blocks(128),
        ["fp8 small blocks"] = Float8Blocks(16),
        ["fp8 static"] = Float8Static(),
    };

    /// <summary>config.json <c>quantization_config</c>.</summary>
    public string Config { get; }

    /// <summary>Puts tensors of the format in the place of every linear layer's matrix that fits it, as checkpoints are published: without output head and routers.</summary>
    /// <returns>The values that the new tensors stand for, by the name of the plain matrix.</returns>
    public Dictionary<string, RewrittenTensor> Quantize(RewrittenModel model)
    {
        var plain = new Dictionary<string, RewrittenTensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in model.Tensors.ToList())
        {
            var isLinear = name.Contains(".layers.", StringComparison.Ordinal) && name.EndsWith("_proj.weight", StringComparison.Ordinal) || name.Contains(".experts.", StringComparison.Ordinal) || name.EndsWith("_with_mqa.weight", StringComparison.Ordinal);
            if (!isLinear || !_fits((int)tensor.Shape[0], (int)tensor.Shape[1]))
            {
                continue;
            }

            var module = name[..^".weight".Length];
            var (values, tensors) = _write(module, tensor.ToFloats(), (int)tensor.Shape[0], (int)tensor.Shape[1]);
            plain.Add(name, RewrittenTensor.Floats(tensor.Shape, values));
            model.Tensors.Remove(name);
            foreach (var (key, written) in tensors)
            {
                model.Tensors.Add($"{module}.{key}", written);
            }
        }

        model.Config["quantization_config"] = System.Text.Json.Nodes.JsonNode.Parse(Config);
        return plain;
    }

    private static QuantizedWriter Awq(int size) => new(
        $$"""{ "quant_method": "awq", "version": "gemm", "bits": 4, "group_size": {{size}}, "zero_point": true, "modules_to_not_convert": ["gate"] }""",
        (rows, columns) => rows % 8 == 0,
        (_, values, rows, columns) =>
        {
            // Channels 0 to 7 of a word are found in these nibbles.
            int[] nibbles = [0, 4, 1, 5, 2, 6, 3, 7];
            var groups = (columns + size - 1) / size;
            var (words, zeroWords, scales) = (new uint[columns * rows / 8], new uint[groups * rows / 8], new Half[groups * rows]);
            for (var row = 0; row < rows; row++)
            {
                for (var group = 0; group < groups; group++)
                {
                    var line = values.AsSpan((row * columns) + (group * size), Math.Min(size, columns - (group * size)));
                    var (low, high) = (0f, 0f);
                    foreach (var value in line)
                    {
                        (low, high) = (MathF.Min(low, value), MathF.Max(high, value));
                    }

                    var scale = (Half)((high - low) / 15);
                    var zero = Math.Clamp((int)MathF.Round(-low / (float)scale), 0, 15);
                    scales[(group * rows) + row] = scale;
                    zeroWords[((group * rows) + row) / 8] |= (uint)zero << (4 * nibbles[row % 8]);
                    for (var i = 0; i < line.Length; i++)
                    {
                        var code = Math.Clamp((int)MathF.Round(line[i] / (float)scale) + zero, 0, 15);
                        words[((((group * size) + i) * rows) + row) / 8] |= (uint)code << (4 * nibbles[row % 8]);
                        line[i] = (code - zero) * (float)scale;
                    }
                }
            }

            return (values, new() { ["qweight"] = Words(words, columns, rows / 8), ["qzeros"] = Words(zeroWords, groups, rows / 8), ["scales"] = RewrittenTensor.Of("F16", [groups, rows], scales) });
        });

    /// <param name="isOrdered">Columns belong to groups by turns, not in order.</param>
    private static QuantizedWriter Gptq(int size, bool isOrdered) => new(
        $$"""{ "quant_method": "gptq", "bits": 4, "group_size": {{size}}, "desc_act": {{(isOrdered ? "true" : "false")}}, "sym": true, "checkpoint_format": "gptq" }""",
        (rows, columns) => rows % 8 == 0 && columns % 8 == 0,
        (_, values, rows, columns) =>
        {
            var groups = (columns + size - 1) / size;
            var groupOf = Enumerable.Range(0, columns).Select(column => isOrdered ? column % groups : column / size).ToArray();
            var (words, scales) = (new uint[columns / 8 * rows], new Half[groups * rows]);
            for (var row = 0; row < rows; row++)
            {
                for (var column = 0; column < columns; column++)
                {
                    ref var scale = ref scales[(groupOf[column] * rows) + row];
                    scale = (Half)MathF.Max((float)scale, MathF.Abs(values[(row * columns) + column]) / 7);
                }

                for (var column = 0; column < columns; column++)
                {
                    var scale = (float)scales[(groupOf[column] * rows) + row];
                    ref var value = ref values[(row * columns) + column];
                    var code = Math.Clamp((int)MathF.Round(value / scale) + 8, 0, 15);
                    words[(column / 8 * rows) + row] |= (uint)code << (4 * (column % 8));
                    value = (code - 8) * scale;
                }
            }

            // Zeros are stored less one.
            var zeros = Enumerable.Repeat(0x7777_7777u, groups * rows / 8).ToArray();
            return (values, new()
            {
                ["qweight"] = Words(words, columns / 8, rows),
                ["qzeros"] = Words(zeros, groups, rows / 8),
                ["scales"] = RewrittenTensor.Of("F16", [groups, rows], scales),
                ["g_idx"] = RewrittenTensor.Of("I32", [columns], groupOf),
            });
        });

    private static QuantizedWriter PackedInt4(int size) => new(
        $$"""
        { "quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head", "re:.*gate$"],
          "config_groups": { "group_0": { "targets": ["Linear"], "weights": { "num_bits": 4, "type": "int", "symmetric": true, "strategy": "group", "group_size": {{size}} } } } }
        """,
        (_, _) => true,
        (_, values, rows, columns) =>
        {
            var (groups, perRow) = ((columns + size - 1) / size, (columns + 7) / 8);
            var (words, scales) = (new uint[rows * perRow], new float[rows * groups]);
            for (var row = 0; row < rows; row++)
            {
                for (var column = 0; column < columns; column++)
                {
                    ref var scale = ref scales[(row * groups) + (column / size)];
                    scale = MathF.Max(scale, MathF.Abs(values[(row * columns) + column]) / 7);
                }

                for (var column = 0; column < columns; column++)
                {
                    var scale = scales[(row * groups) + (column / size)];
                    ref var value = ref values[(row * columns) + column];
                    var code = Math.Clamp((int)MathF.Round(value / scale) + 8, 0, 15);
                    words[(row * perRow) + (column / 8)] |= (uint)code << (4 * (column % 8));
                    value = (code - 8) * scale;
                }
            }

            return (values, new()
            {
                ["weight_packed"] = Words(words, rows, perRow),
                ["weight_scale"] = RewrittenTensor.Floats([rows, groups], scales),
                ["weight_shape"] = RewrittenTensor.Of("I64", [2], new long[] { rows, columns }),
            });
        });

    /// <summary>A byte a number and a scale a row.</summary>
    private static QuantizedWriter CompressedTensors(string format, string kind, string type, float largestCode, Func<float, byte> encode, Func<byte, float> decode) => new(
        $$"""
        { "quant_method": "compressed-tensors", "format": "{{format}}", "ignore": ["lm_head", "re:.*gate$"],
          "config_groups": { "group_0": { "targets": ["Linear"], "weights": { "num_bits": 8, "type": "{{kind}}", "symmetric": true, "strategy": "channel" },
                                          "input_activations": { "num_bits": 8, "type": "{{kind}}", "symmetric": true, "strategy": "token", "dynamic": true } } } }
        """,
        (_, _) => true,
        (_, values, rows, columns) =>
        {
            var (codes, scales) = Blocks(values, rows, columns, 1, columns, largestCode, encode, decode);
            return (values, new() { ["weight"] = RewrittenTensor.Of(type, [rows, columns], codes), ["weight_scale"] = RewrittenTensor.Floats([rows, 1], scales) });
        });

    private static QuantizedWriter Float8Blocks(int size) => new(
        $$"""{ "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [{{size}}, {{size}}] }""",
        (_, _) => true,
        (_, values, rows, columns) =>
        {
            var (codes, scales) = Blocks(values, rows, columns, size, size, 448, EncodeFloat8, WidenFloat8);
            return (values, new() { ["weight"] = RewrittenTensor.Of("F8_E4M3", [rows, columns], codes), ["weight_scale_inv"] = RewrittenTensor.Floats([(rows + size - 1) / size, (columns + size - 1) / size], scales) });
        });

    private static QuantizedWriter Float8Static() => new(
        """{ "quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"] }""",
        (_, _) => true,
        (_, values, rows, columns) =>
        {
            var (codes, scales) = Blocks(values, rows, columns, rows, columns, 448, EncodeFloat8, WidenFloat8);
            return (values, new() { ["weight"] = RewrittenTensor.Of("F8_E4M3", [rows, columns], codes), ["weight_scale"] = RewrittenTensor.Floats([], scales), ["input_scale"] = RewrittenTensor.Floats([], [0.5f]) });
        });

    /// <summary>Rounds blocks of rows and columns to codes under one scale each; values become what the codes stand for.</summary>
    private static (byte[] Codes, float[] Scales) Blocks(float[] values, int rows, int columns, int blockRows, int blockColumns, float largestCode, Func<float, byte> encode, Func<byte, float> decode)
    {
        var (down, across) = ((rows + blockRows - 1) / blockRows, (columns + blockColumns - 1) / blockColumns);
        var (codes, scales) = (new byte[values.Length], new float[down * across]);
        for (var i = 0; i < values.Length; i++)
        {
            ref var scale = ref scales[Index(i)];
            scale = MathF.Max(scale, MathF.Abs(values[i]) / largestCode);
        }

        for (var i = 0; i < values.Length; i++)
        {
            var scale = scales[Index(i)];
            codes[i] = encode(values[i] / scale);
            values[i] = decode(codes[i]) * scale;
        }

        return (codes, scales);

        int Index(int i) => (i / columns / blockRows * across) + (i % columns / blockColumns);
    }

    private static RewrittenTensor Words(uint[] words, int rows, int columns) => RewrittenTensor.Of("I32", [rows, columns], words);

    private static byte EncodeFloat8(float value)
    {
        var found = Array.BinarySearch(Float8Values, MathF.Abs(value));
        var above = Math.Min(found < 0 ? ~found : found, Float8Values.Length - 1);
        var below = Math.Max(above - 1, 0);
        var code = MathF.Abs(value) - Float8Values[below] < Float8Values[above] - MathF.Abs(value) ? below : above;
        return (byte)(code | (value < 0 ? 0x80 : 0));
    }

    private static float WidenFloat8(byte code) => code < 0x80 ? Float8Values[code] : -Float8Values[code & 0x7F];

    /// <summary>Four bits of exponent with the bias 7, three of mantissa.</summary>
    private static float DecodeFloat8(int code)
    {
        var (exponent, mantissa) = (code >> 3, code & 7);
        return (float)(exponent == 0 ? mantissa * Math.Pow(2, -9) : (8 + mantissa) * Math.Pow(2, exponent - 10));
    }
}
