namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>GPTQ's layout: consecutive inputs of one output in each 32-bit word.</summary>
/// <param name="words">[columns × bits / 32, rows]</param>
/// <param name="zeros">[groups, rows × bits / 32]</param>
/// <param name="bits">4 or 8.</param>
/// <param name="zeroOffset">What is missing from stored zeros: 1 in the first version of the format, 0 in the second.</param>
internal sealed unsafe class GptqTensor(string name, int rows, int columns, ColumnGroups groups, uint* words, uint* zeros, int bits, int zeroOffset, ScaleGrid scales)
    : QuantizedTensor(name, rows, columns, bits == 4 ? QuantizedCode.Int4 : QuantizedCode.Int8, groups)
{
    private readonly int _perWord = 32 / bits;

    private readonly uint _mask = (1u << bits) - 1;

    public override ElementType ScaleType => scales.Type;

    public static GptqTensor Create(string name, int rows, int columns, ColumnGroups groups, nint words, nint zeros, int bits, int zeroOffset, ScaleGrid scales)
    {
        var middle = (uint)((bits == 4 ? 8 : 128) - zeroOffset);
        var word = middle * (bits == 4 ? 0x1111_1111u : 0x0101_0101u);
        var count = (long)groups.Count * (rows / (32 / bits));
        var isSymmetric = new ReadOnlySpan<uint>((uint*)zeros, checked((int)count)).IndexOfAnyExcept(word) < 0;
        return new GptqTensor(name, rows, columns, groups, (uint*)words, (uint*)zeros, bits, zeroOffset, scales) { HasZeros = !isSymmetric };
    }

    public override float Scale(int row, int group) => scales[row, group];

    public override int Zero(int row, int group)
    {
        var word = zeros[((long)group * (Rows / _perWord)) + (row / _perWord)];

        // The reference wraps a stored zero of all ones around to 0.
        var zero = (int)(((word >> (row % _perWord * bits)) + (uint)zeroOffset) & _mask);
        return bits == 4 ? zero : zero - 128;
    }

    protected internal override void ReadNatural(int firstRow, int rows, byte* codes)
    {
        var flip = bits == 4 ? 0u : 128u;
        for (var column = 0; column < Columns; column++)
        {
            var line = words + ((long)(column / _perWord) * Rows) + firstRow;
            var shift = column % _perWord * bits;
            for (var row = 0; row < rows; row++)
            {
                codes[((long)row * Columns) + column] = (byte)(((line[row] >> shift) & _mask) ^ flip);
            }
        }
    }
}
