namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>AWQ's gemm layout: eight consecutive outputs of one input in each 32-bit word, in the order 0 2 4 6 1 3 5 7.</summary>
/// <param name="words">[columns, rows / 8]</param>
/// <param name="zeros">[groups, rows / 8]</param>
internal sealed unsafe class AwqTensor(string name, int rows, int columns, ColumnGroups groups, uint* words, uint* zeros, ScaleGrid scales)
    : QuantizedTensor(name, rows, columns, QuantizedCode.Int4, groups)
{
    public const int RowsPerWord = 8;

    public override ElementType ScaleType => scales.Type;

    public static AwqTensor Create(string name, int rows, int columns, ColumnGroups groups, nint words, nint zeros, ScaleGrid scales)
    {
        // Symmetric files spell their zeros out too.
        var count = (long)groups.Count * (rows / RowsPerWord);
        var isSymmetric = new ReadOnlySpan<uint>((uint*)zeros, checked((int)count)).IndexOfAnyExcept(0x8888_8888u) < 0;
        return new AwqTensor(name, rows, columns, groups, (uint*)words, (uint*)zeros, scales) { HasZeros = !isSymmetric };
    }

    public override float Scale(int row, int group) => scales[row, group];

    public override int Zero(int row, int group) => (int)(zeros[((long)group * (Rows / RowsPerWord)) + (row / RowsPerWord)] >> Shift(row)) & 15;

    protected internal override void ReadNatural(int firstRow, int rows, byte* codes)
    {
        var stride = Rows / RowsPerWord;
        for (var column = 0; column < Columns; column++)
        {
            var line = words + ((long)column * stride);
            for (var row = 0; row < rows; row++)
            {
                var index = firstRow + row;
                codes[((long)row * Columns) + column] = (byte)((line[index / RowsPerWord] >> Shift(index)) & 15);
            }
        }
    }

    /// <summary>Output c of a word lies in the nibble ⌊c / 2⌋, or four further up where c is odd.</summary>
    private static int Shift(int row) => ((row & 7) >> 1 | (row & 1) << 2) * 4;
}
