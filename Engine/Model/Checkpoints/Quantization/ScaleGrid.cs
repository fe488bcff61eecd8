namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>The scales of a quantised matrix, however the format lays them out.</summary>
/// <param name="Data">First scale.</param>
/// <param name="Type">How scales are stored.</param>
/// <param name="RowStride">Elements from the scale of one row of blocks to the next; 0 where all rows share it.</param>
/// <param name="GroupStride">Elements from one group of columns to the next; 0 where there is one.</param>
/// <param name="RowsPerScale">Rows that share a scale (blocks).</param>
internal readonly record struct ScaleGrid(nint Data, ElementType Type, long RowStride, long GroupStride, int RowsPerScale = 1)
{
    public unsafe float this[int row, int group]
    {
        get
        {
            var index = (row / RowsPerScale * RowStride) + (group * GroupStride);
            return Type switch
            {
                ElementType.Fp32 => ((float*)Data)[index],
                ElementType.Fp16 => (float)((Half*)Data)[index],
                _ => BitConverter.UInt32BitsToSingle((uint)((ushort*)Data)[index] << 16),
            };
        }
    }
}
