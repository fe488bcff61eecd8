using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints.Quantization;

/// <summary>A random matrix in one of the formats, packed here by the formats' definitions, with its values beside it.</summary>
internal sealed class QuantizedSample
{
    public const string Module = "m.proj";

    private readonly Random _random = new(3);

    private QuantizedSample(string config, int rows, int columns)
    {
        Format = QuantizationFormat.Read(ConfigText.Parse(config));
        Expected = new ExpectedTensor($"{Module}.weight", rows, columns);
        (Rows, Columns) = (rows, columns);
        Values = new float[rows * columns];
    }

    public QuantizationFormat Format { get; }

    public ExpectedTensor Expected { get; private init; }

    /// <summary>Of the matrix that is read.</summary>
    public int Rows { get; }

    public int Columns { get; }

    public RawTensors Tensors { get; } = new();

    /// <summary>[rows, columns]</summary>
    public float[] Values { get; }

    public QuantizedTensor? Open(List<string> problems) => Format.Open(Expected, Tensors.Find, problems);

    public static QuantizedSample Awq(int rows, int columns, int groupSize)
    {
        var sample = new QuantizedSample($$"""{ "quant_method": "awq", "bits": 4, "group_size": {{groupSize}}, "version": "gemm", "zero_point": true }""", rows, columns);
        var size = groupSize < 0 ? columns : groupSize;
        var (codes, zeros, scales, groups) = sample.Draw(rows, columns, size, 15, isSymmetric: false);

        // Channels 0..7 of a word are found in these nibbles.
        int[] nibbles = [0, 4, 1, 5, 2, 6, 3, 7];
        var words = new uint[columns * rows / 8];
        var zeroWords = new uint[groups * rows / 8];
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                words[(column * rows / 8) + (row / 8)] |= (uint)codes[row, column] << (4 * nibbles[row % 8]);
                sample.Values[(row * columns) + column] = (codes[row, column] - zeros[row, column / size]) * (float)scales[row, column / size];
            }

            for (var group = 0; group < groups; group++)
            {
                zeroWords[(group * rows / 8) + (row / 8)] |= (uint)zeros[row, group] << (4 * nibbles[row % 8]);
            }
        }

        sample.Tensors.Add($"{Module}.qweight", "I32", [columns, rows / 8], words)
            .Add($"{Module}.qzeros", "I32", [groups, rows / 8], zeroWords)
            .Add($"{Module}.scales", "F16", [groups, rows], Transposed(scales));
        return sample;
    }

    /// <param name="order">The group of each column; null is in order.</param>
    public static QuantizedSample Gptq(int rows, int columns, int groupSize, int bits, bool isV2, bool isSymmetric, Func<int, int>? order = null)
    {
        var sample = new QuantizedSample($$"""{ "quant_method": "gptq", "bits": {{bits}}, "group_size": {{groupSize}}, "desc_act": {{(order is null ? "false" : "true")}}, "checkpoint_format": "{{(isV2 ? "gptq_v2" : "gptq")}}" }""", rows, columns);
        var size = groupSize < 0 ? columns : groupSize;
        var (codes, zeros, scales, groups) = sample.Draw(rows, columns, size, (1 << bits) - 1, isSymmetric);
        var perWord = 32 / bits;
        var words = new uint[columns / perWord * rows];
        var zeroWords = new uint[groups * rows / perWord];
        var groupOf = Enumerable.Range(0, columns).Select(column => order?.Invoke(column) ?? column / size).ToArray();
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                words[(column / perWord * rows) + row] |= (uint)codes[row, column] << (bits * (column % perWord));
                var group = groupOf[column];
                sample.Values[(row * columns) + column] = (codes[row, column] - zeros[row, group]) * (float)scales[row, group];
            }

            for (var group = 0; group < groups; group++)
            {
                zeroWords[((group * rows) + row) / perWord] |= (uint)(zeros[row, group] - (isV2 ? 0 : 1)) << (bits * (row % perWord));
            }
        }

        sample.Tensors.Add($"{Module}.qweight", "I32", [columns / perWord, rows], words)
            .Add($"{Module}.qzeros", "I32", [groups, rows / perWord], zeroWords)
            .Add($"{Module}.scales", "F16", [groups, rows], Transposed(scales))
            .Add($"{Module}.g_idx", "I32", [columns], groupOf);
        return sample;
    }

    /// <summary>compressed-tensors, pack-quantized.</summary>
    public static QuantizedSample Packed(int rows, int columns, int? groupSize, int bits, bool isSymmetric, Func<int, int>? order = null)
    {
        var sample = new QuantizedSample(CompressedTensors("pack-quantized", $$"""{ "num_bits": {{bits}}, "type": "int", "symmetric": {{(isSymmetric ? "true" : "false")}}, "strategy": "{{(groupSize is null ? "channel" : "group")}}", "group_size": {{groupSize?.ToString() ?? "null"}} }"""), rows, columns);
        var size = groupSize ?? columns;
        var half = 1 << (bits - 1);
        var (codes, zeros, scales, groups) = sample.Draw(rows, columns, size, (1 << bits) - 1, isSymmetric);
        var perWord = 32 / bits;
        var rowWords = (columns + perWord - 1) / perWord;
        var words = new uint[rows * rowWords];
        var zeroWords = new uint[(rows + perWord - 1) / perWord * groups];
        var groupOf = Enumerable.Range(0, columns).Select(column => order?.Invoke(column) ?? column / size).ToArray();
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                // Signed numbers are stored plus half the range, which is what was drawn.
                words[(row * rowWords) + (column / perWord)] |= (uint)codes[row, column] << (bits * (column % perWord));
                var (code, zero) = (codes[row, column] - half, zeros[row, groupOf[column]] - half);
                sample.Values[(row * columns) + column] = (code - zero) * (float)scales[row, groupOf[column]];
            }

            for (var group = 0; group < groups; group++)
            {
                zeroWords[(row / perWord * groups) + group] |= (uint)zeros[row, group] << (bits * (row % perWord));
            }
        }

        sample.Tensors.Add($"{Module}.weight_packed", "I32", [rows, rowWords], words)
            .Add($"{Module}.weight_scale", "F16", [rows, groups], scales.Cast<Half>().ToArray())
            .Add($"{Module}.weight_shape", "I64", [2], new long[] { rows, columns });
        if (!isSymmetric)
        {
            sample.Tensors.Add($"{Module}.weight_zero_point", "I32", [(rows + perWord - 1) / perWord, groups], zeroWords);
        }

        if (order is not null)
        {
            sample.Tensors.Add($"{Module}.weight_g_idx", "I32", [columns], groupOf);
        }

        return sample;
    }

    /// <summary>compressed-tensors, int-quantized, a scale for each row.</summary>
    public static QuantizedSample Int8(int rows, int columns, bool isSymmetric)
    {
        var sample = new QuantizedSample(CompressedTensors("int-quantized", $$"""{ "num_bits": 8, "type": "int", "symmetric": {{(isSymmetric ? "true" : "false")}}, "strategy": "channel" }"""), rows, columns);
        var (codes, zeros, scales, _) = sample.Draw(rows, columns, columns, 255, isSymmetric);
        var bytes = new sbyte[rows * columns];
        for (var i = 0; i < bytes.Length; i++)
        {
            var (row, column) = Math.DivRem(i, columns);
            bytes[i] = (sbyte)(codes[row, column] - 128);
            sample.Values[i] = (bytes[i] - (zeros[row, 0] - 128)) * (float)scales[row, 0];
        }

        sample.Tensors.Add($"{Module}.weight", "I8", [rows, columns], bytes).Add($"{Module}.weight_scale", "F16", [rows, 1], scales.Cast<Half>().ToArray());
        if (!isSymmetric)
        {
            sample.Tensors.Add($"{Module}.weight_zero_point", "I8", [rows, 1], Enumerable.Range(0, rows).Select(row => (sbyte)(zeros[row, 0] - 128)).ToArray());
        }

        return sample;
    }

    /// <summary>fp8 in blocks of 128 × 128, ragged at the edges.</summary>
    public static QuantizedSample Fp8Blocks(int rows, int columns) =>
        Fp8("""{ "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128] }""", rows, columns, "weight_scale_inv", 128, 128);

    /// <summary>fp8 with one scale for the matrix.</summary>
    public static QuantizedSample Fp8Static(int rows, int columns)
    {
        var sample = Fp8("""{ "quant_method": "fp8", "activation_scheme": "static" }""", rows, columns, "weight_scale", rows, columns);
        sample.Tensors.Relabel($"{Module}.weight_scale", null, []);
        sample.Tensors.Add($"{Module}.input_scale", "F32", [], new[] { 0.25f });
        return sample;
    }

    /// <summary>A stack of matrices: plain it would be [stack, columns, rows], in blocks it is [stack, rows, columns / 32, 16].</summary>
    public static QuantizedSample MxFp4(int stack, int rows, int columns)
    {
        var sample = new QuantizedSample("""{ "quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"] }""", stack * rows, columns) { Expected = new ExpectedTensor(Module, stack * columns, rows) { Stack = stack } };
        var (blocks, scales) = (new byte[stack * rows * columns / 2], new byte[stack * rows * columns / 32]);
        sample._random.NextBytes(blocks);
        for (var i = 0; i < scales.Length; i++)
        {
            // Far apart, but within what sums in fp32 can hold.
            scales[i] = (byte)sample._random.Next(127 - 20, 127 + 20);
        }

        for (var i = 0; i < sample.Values.Length; i++)
        {
            var code = (i % 2 == 0 ? blocks[i / 2] : blocks[i / 2] >> 4) & 15;
            sample.Values[i] = (float)(E2M1(code) * Math.Pow(2, scales[i / 32] - 127));
        }

        sample.Tensors.Add($"{Module}_blocks", "U8", [stack, rows, columns / 32, 16], blocks).Add($"{Module}_scales", "U8", [stack, rows, columns / 32], scales);
        return sample;
    }

    /// <summary>Two bits of exponent with the bias 1, one of mantissa; the smallest steps are halves.</summary>
    public static double E2M1(int code)
    {
        var (exponent, mantissa) = ((code >> 1) & 3, code & 1);
        var size = exponent == 0 ? mantissa * 0.5 : (2 + mantissa) * Math.Pow(2, exponent - 2);
        return code < 8 ? size : -size;
    }

    public static string CompressedTensors(string format, string weights, string more = "") =>
        $$"""{ "quant_method": "compressed-tensors", "format": "{{format}}", "config_groups": { "group_0": { "targets": ["Linear"], "weights": {{weights}}, "input_activations": null } }, "ignore": ["lm_head"]{{more}} }""";

    private static QuantizedSample Fp8(string config, int rows, int columns, string scaleName, int blockRows, int blockColumns)
    {
        var sample = new QuantizedSample(config, rows, columns);
        var (down, across) = ((rows + blockRows - 1) / blockRows, (columns + blockColumns - 1) / blockColumns);
        var scales = Enumerable.Range(0, down * across).Select(_ => 0.01f + sample._random.NextSingle()).ToArray();
        var bytes = new byte[rows * columns];
        for (var i = 0; i < bytes.Length; i++)
        {
            do
            {
                bytes[i] = (byte)sample._random.Next(256);
            }
            while ((bytes[i] & 0x7F) == 0x7F);
            var (row, column) = Math.DivRem(i, columns);
            sample.Values[i] = E4M3(bytes[i]) * scales[(row / blockRows * across) + (column / blockColumns)];
        }

        sample.Tensors.Add($"{Module}.weight", "F8_E4M3", [rows, columns], bytes).Add($"{Module}.{scaleName}", "F32", [down, across], scales);
        return sample;
    }

    /// <summary>Four bits of exponent with the bias 7, three of mantissa.</summary>
    private static float E4M3(byte code)
    {
        var (exponent, mantissa) = ((code >> 3) & 15, code & 7);
        var size = exponent == 0 ? mantissa * Math.Pow(2, -9) : (8 + mantissa) * Math.Pow(2, exponent - 10);
        return (float)(code < 128 ? size : -size);
    }

    private static Half[] Transposed(Half[,] scales)
    {
        var (rows, groups) = (scales.GetLength(0), scales.GetLength(1));
        return [.. Enumerable.Range(0, rows * groups).Select(i => scales[i % rows, i / rows])];
    }

    /// <summary>Random codes from 0 to <paramref name="largest"/>; zeros in their middle or from 1 on, as the first GPTQ cannot store 0.</summary>
    private (int[,] Codes, int[,] Zeros, Half[,] Scales, int Groups) Draw(int rows, int columns, int size, int largest, bool isSymmetric)
    {
        var groups = (columns + size - 1) / size;
        var (codes, zeros, scales) = (new int[rows, columns], new int[rows, groups], new Half[rows, groups]);
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                codes[row, column] = _random.Next(largest + 1);
            }

            for (var group = 0; group < groups; group++)
            {
                zeros[row, group] = isSymmetric ? (largest + 1) / 2 : _random.Next(1, largest + 1);
                scales[row, group] = (Half)(0.001f + (_random.NextSingle() * 0.1f));
            }
        }

        return (codes, zeros, scales, groups);
    }
}
