namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>Rows of blocks of 32 numbers in 16 bytes, the first of two in the lower half of a byte, and a scale for each block.</summary>
/// <param name="blocks">[rows, columns / 32, 16]</param>
/// <param name="scales">[rows, columns / 32]</param>
internal sealed unsafe class MxFp4Tensor(string name, int rows, int columns, byte* blocks, byte* scales)
    : QuantizedTensor(name, rows, columns, QuantizedCode.Fp4, ColumnGroups.Consecutive(columns, BlockColumns))
{
    public const int BlockColumns = 32;

    public const int BlockBytes = BlockColumns / 2;

    /// <summary>A power of two for every code.</summary>
    public override ElementType ScaleType => ElementType.Bf16;

    public override float Scale(int row, int group) => Float4.WidenScale(scales[((long)row * Groups.Count) + group]);

    protected internal override void ReadNatural(int firstRow, int rows, byte* codes)
    {
        var source = blocks + ((long)firstRow * Columns / 2);
        for (var i = 0L; i < (long)rows * Columns / 2; i++)
        {
            codes[2 * i] = (byte)(source[i] & 15);
            codes[(2 * i) + 1] = (byte)(source[i] >> 4);
        }
    }
}
