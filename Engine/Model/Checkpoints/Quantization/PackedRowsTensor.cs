namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>The layout <c>pack-quantized</c> of compressed-tensors: consecutive inputs of one output in each 32-bit word, a row after the other.</summary>
/// <param name="words">[rows, ⌈columns × bits / 32⌉]; numbers are stored plus half their range.</param>
/// <param name="zeros">[⌈rows × bits / 32⌉, groups], stored likewise; null where all are 0.</param>
/// <param name="byteZeros">Older files: a signed byte each, [rows, groups]; null elsewhere.</param>
/// <param name="bits">4 or 8.</param>
internal sealed unsafe class PackedRowsTensor(string name, int rows, int columns, ColumnGroups groups, uint* words, uint* zeros, sbyte* byteZeros, int bits, ScaleGrid scales)
    : QuantizedTensor(name, rows, columns, bits == 4 ? QuantizedCode.Int4 : QuantizedCode.Int8, groups)
{
    private readonly int _perWord = 32 / bits;

    private readonly uint _mask = (1u << bits) - 1;

    public override ElementType ScaleType => scales.Type;

    public static PackedRowsTensor Create(string name, int rows, int columns, ColumnGroups groups, nint words, nint zeros, nint byteZeros, int bits, ScaleGrid scales, ActivationQuantization? activations) =>
        new(name, rows, columns, groups, (uint*)words, (uint*)zeros, (sbyte*)byteZeros, bits, scales) { HasZeros = zeros != 0 || byteZeros != 0, Activations = activations };

    public override float Scale(int row, int group) => scales[row, group];

    public override int Zero(int row, int group)
    {
        if (byteZeros != null)
        {
            return DefaultZero + byteZeros[((long)row * Groups.Count) + group];
        }

        if (zeros == null)
        {
            return DefaultZero;
        }

        var stored = (int)((zeros[((long)(row / _perWord) * Groups.Count) + group] >> (row % _perWord * bits)) & _mask);
        return bits == 4 ? stored : stored - 128;
    }

    protected internal override void ReadNatural(int firstRow, int rows, byte* codes)
    {
        var stride = (Columns + _perWord - 1) / _perWord;
        var flip = bits == 4 ? 0u : 128u;
        for (var row = 0; row < rows; row++)
        {
            var line = words + ((long)(firstRow + row) * stride);
            var target = codes + ((long)row * Columns);
            for (var column = 0; column < Columns; column++)
            {
                target[column] = (byte)(((line[column / _perWord] >> (column % _perWord * bits)) & _mask) ^ flip);
            }
        }
    }
}
