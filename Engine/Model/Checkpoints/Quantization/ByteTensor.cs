namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>A matrix of one byte a number in its natural order: int8 or fp8.</summary>
internal sealed unsafe class ByteTensor : QuantizedTensor
{
    private readonly byte* _codes;
    private readonly ScaleGrid _scales;
    private readonly sbyte* _zeros;

    /// <param name="codes">[rows, columns]</param>
    /// <param name="zeros">One signed byte for each scale, laid out as the scales are; 0 where there are none.</param>
    public ByteTensor(string name, int rows, int columns, QuantizedCode code, ColumnGroups groups, nint codes, ScaleGrid scales, nint zeros = 0)
        : base(name, rows, columns, code, groups)
    {
        _codes = (byte*)codes;
        _scales = scales;
        _zeros = (sbyte*)zeros;
        HasZeros = zeros != 0;
    }

    public override ElementType ScaleType => _scales.Type;

    public override float Scale(int row, int group) => _scales[row, group];

    public override int Zero(int row, int group) => _zeros == null ? 0 : _zeros[(row / _scales.RowsPerScale * _scales.RowStride) + (group * _scales.GroupStride)];

    protected internal override void ReadNatural(int firstRow, int rows, byte* target) =>
        Buffer.MemoryCopy(_codes + ((long)firstRow * Columns), target, (long)rows * Columns, (long)rows * Columns);
}
