namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>Every so many rows of a quantised matrix, as a matrix.</summary>
internal sealed unsafe class QuantizedRows : QuantizedTensor
{
    private readonly QuantizedTensor _source;
    private readonly int _first;
    private readonly int _step;

    /// <param name="source">Must stay readable as long as this is read.</param>
    /// <param name="first">Its row that becomes the first.</param>
    /// <param name="step">From one row to the next.</param>
    public QuantizedRows(string name, QuantizedTensor source, int first, int rows, int step)
        : base(name, rows, source.Columns, source.Code, source.Groups)
    {
        _source = source;
        _first = first;
        _step = step;
        HasZeros = source.HasZeros;
        Activations = source.Activations;
    }

    public override ElementType ScaleType => _source.ScaleType;

    public override float Scale(int row, int group) => _source.Scale(_first + (row * _step), group);

    public override int Zero(int row, int group) => _source.Zero(_first + (row * _step), group);

    protected internal override void ReadNatural(int firstRow, int rows, byte* codes)
    {
        for (var row = 0; row < rows; row++)
        {
            _source.ReadNatural(_first + ((firstRow + row) * _step), 1, codes + ((long)row * Columns));
        }
    }
}
