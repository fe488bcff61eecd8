namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>A plain matrix quantised while it is loaded: groups of columns of a row share a scale, 0 is a code's middle.</summary>
/// <remarks>Rounds to nearest. In int4 the number of largest size in a group becomes the code 0, which stands for −8 scales, so that
/// all 16 codes are used; in int8 it becomes ± 127.</remarks>
internal sealed unsafe class OnlineQuantizedTensor : QuantizedTensor
{
    private readonly HostTensor _source;

    /// <summary>[rows, groups]</summary>
    private readonly float[] _scales;

    /// <param name="source">Must stay readable as long as this is read.</param>
    /// <param name="code">Int4 or Int8.</param>
    public OnlineQuantizedTensor(HostTensor source, QuantizedCode code)
        : base(source.Name, source.Rows, source.Columns, code, ColumnGroups.Consecutive(source.Columns, GroupColumns(code)))
    {
        _source = source;
        _scales = new float[(long)source.Rows * Groups.Count];
        Parallel.For(0, source.Rows, MeasureRow);
    }

    public override ElementType ScaleType => ElementType.Bf16;

    public override bool IsGiven => false;

    /// <summary>Columns that share a scale of two bytes: 4.5 bits a weight in int4, 8.25 in int8.</summary>
    public static int GroupColumns(QuantizedCode code) => code == QuantizedCode.Int4 ? 32 : 64;

    public override float Scale(int row, int group) => _scales[((long)row * Groups.Count) + group];

    protected internal override void ReadNatural(int firstRow, int rows, byte* codes)
    {
        var (low, high, middle) = Code == QuantizedCode.Int4 ? (0, 15, 8) : (-127, 127, 0);
        for (var row = 0; row < rows; row++)
        {
            var line = _source with { Data = _source.Data + (nint)((long)(firstRow + row) * Columns * _source.Type.SizeBytes()) };
            var target = codes + ((long)row * Columns);
            for (var group = 0; group < Groups.Count; group++)
            {
                var scale = Scale(firstRow + row, group);
                var inverse = scale == 0 ? 0 : 1 / scale;
                var end = Math.Min((group + 1) * Groups.Size, Columns);
                for (var column = group * Groups.Size; column < end; column++)
                {
                    target[column] = (byte)Math.Clamp((int)MathF.Round(Load(line, column) * inverse) + middle, low, high);
                }
            }
        }
    }

    private static float Load(in HostTensor tensor, int index) => tensor.Type switch
    {
        ElementType.Fp32 => ((float*)tensor.Data)[index],
        ElementType.Fp16 => (float)((Half*)tensor.Data)[index],
        _ => BitConverter.UInt32BitsToSingle((uint)((ushort*)tensor.Data)[index] << 16),
    };

    private void MeasureRow(int row)
    {
        var line = _source with { Data = _source.Data + (nint)((long)row * Columns * _source.Type.SizeBytes()) };
        for (var group = 0; group < Groups.Count; group++)
        {
            var largest = 0f;
            var end = Math.Min((group + 1) * Groups.Size, Columns);
            for (var column = group * Groups.Size; column < end; column++)
            {
                var value = Load(line, column);
                largest = MathF.Abs(value) > MathF.Abs(largest) ? value : largest;
            }

            var scale = Code == QuantizedCode.Int4 ? largest / -8 : MathF.Abs(largest) / 127;

            // Rounded before it divides, so that codes fit the scale as it is stored.
            _scales[((long)row * Groups.Count) + group] = BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(scale) + 0x8000) & 0xFFFF_0000);
        }
    }
}
