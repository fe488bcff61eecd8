namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>A matrix [rows, columns] of small codes with scales, read in one form from whatever format a file has: value = (code − zero) × scale.</summary>
/// <remarks>Codes come in the order of <see cref="ColumnGroups.Order"/>. Safe to read from several threads.</remarks>
internal abstract unsafe class QuantizedTensor(string name, int rows, int columns, QuantizedCode code, ColumnGroups groups)
{
    public string Name { get; } = name;

    public int Rows { get; } = rows;

    public int Columns { get; } = columns;

    public QuantizedCode Code { get; } = code;

    public ColumnGroups Groups { get; } = groups;

    /// <summary>Type that holds every scale exactly.</summary>
    public abstract ElementType ScaleType { get; }

    /// <summary>Some zero is not <see cref="DefaultZero"/>.</summary>
    public bool HasZeros { get; protected init; }

    /// <summary>The file holds these codes; else they were rounded while it was read.</summary>
    public virtual bool IsGiven => true;

    /// <summary>The code that stands for 0 in symmetric matrices.</summary>
    public int DefaultZero => Code == QuantizedCode.Int4 ? 8 : 0;

    /// <summary>What the format does to the layer's input, where it does anything.</summary>
    public ActivationQuantization? Activations { get; init; }

    public abstract float Scale(int row, int group);

    public virtual int Zero(int row, int group) => DefaultZero;

    /// <param name="codes">[rows, columns], one byte each.</param>
    public void ReadCodes(int firstRow, int rows, byte* codes)
    {
        ReadNatural(firstRow, rows, codes);
        if (Groups.Order is not { } order)
        {
            return;
        }

        var natural = new byte[Columns];
        for (var row = 0; row < rows; row++)
        {
            var line = new Span<byte>(codes + ((long)row * Columns), Columns);
            line.CopyTo(natural);
            for (var i = 0; i < order.Length; i++)
            {
                line[i] = natural[order[i]];
            }
        }
    }

    /// <summary>Values in the columns' own order.</summary>
    /// <param name="values">[rows, columns]</param>
    public void Dequantize(int firstRow, int rows, float* values)
    {
        var codes = new byte[(long)rows * Columns];
        var scales = new float[Groups.Count];
        var zeros = new int[Groups.Count];
        fixed (byte* pointer = codes)
        {
            ReadNatural(firstRow, rows, pointer);
            var groupOf = GroupOfColumn();
            for (var row = 0; row < rows; row++)
            {
                for (var group = 0; group < scales.Length; group++)
                {
                    scales[group] = Scale(firstRow + row, group);
                    zeros[group] = Zero(firstRow + row, group);
                }

                var source = pointer + ((long)row * Columns);
                var target = values + ((long)row * Columns);
                for (var column = 0; column < Columns; column++)
                {
                    var group = groupOf[column];
                    target[column] = Code switch
                    {
                        QuantizedCode.Int4 => (source[column] - zeros[group]) * scales[group],
                        QuantizedCode.Int8 => ((sbyte)source[column] - zeros[group]) * scales[group],
                        QuantizedCode.Fp4 => Float4.Widen(source[column]) * scales[group],
                        _ => Float8.Widen(source[column]) * scales[group],
                    };
                }
            }
        }
    }

    /// <summary>Says where a scale or a value is NaN or infinite; null where none is.</summary>
    public string? FindNonFinite()
    {
        string? found = null;
        const int RowsPerPiece = 64;
        Parallel.For(0, (Rows + RowsPerPiece - 1) / RowsPerPiece, (piece, state) =>
        {
            var first = piece * RowsPerPiece;
            var rows = Math.Min(RowsPerPiece, Rows - first);
            var problem = FindInScales(first, rows) ?? (Code == QuantizedCode.Fp8 ? FindInCodes(first, rows) : null);
            if (problem is not null)
            {
                Interlocked.CompareExchange(ref found, problem, null);
                state.Stop();
            }
        });
        return found;
    }

    /// <param name="codes">[rows, columns] in the columns' own order.</param>
    protected internal abstract void ReadNatural(int firstRow, int rows, byte* codes);

    private int[] GroupOfColumn()
    {
        if (Groups.Irregular is { } irregular)
        {
            return irregular;
        }

        var groupOf = new int[Columns];
        for (var position = 0; position < Columns; position++)
        {
            groupOf[Groups.Order is { } order ? order[position] : position] = position / Groups.Size;
        }

        return groupOf;
    }

    private string? FindInScales(int first, int rows)
    {
        for (var row = first; row < first + rows; row++)
        {
            for (var group = 0; group < Groups.Count; group++)
            {
                if (!float.IsFinite(Scale(row, group)))
                {
                    return $"the scale of row {row}, group {group}";
                }
            }
        }

        return null;
    }

    private string? FindInCodes(int first, int rows)
    {
        var codes = new byte[(long)rows * Columns];
        fixed (byte* pointer = codes)
        {
            ReadNatural(first, rows, pointer);
        }

        for (var i = 0; i < codes.Length; i++)
        {
            if (Float8.IsNaN(codes[i]))
            {
                return $"element [{first + (i / Columns)}, {i % Columns}]";
            }
        }

        return null;
    }
}
