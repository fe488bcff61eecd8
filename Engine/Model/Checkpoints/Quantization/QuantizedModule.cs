namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>The tensors that belong to one linear layer of a quantised checkpoint; checks each before it is used.</summary>
internal sealed class QuantizedModule(ExpectedTensor expected, string name, TensorLookup lookup, List<string> problems)
{
    private static readonly string[] ScaleTypes = ["F32", "F16", "BF16"];

    public int Rows => expected.Rows;

    public int Columns => expected.Columns;

    /// <summary>Name of the plain matrix.</summary>
    public string WeightName => expected.Name;

    /// <summary>Without <c>.weight</c>.</summary>
    public string Name => name;

    public StoredTensor? Find(string suffix) => lookup($"{name}.{suffix}");

    public bool Has(string suffix) => Find(suffix) is not null;

    public void Report(string problem) => problems.Add(problem);

    /// <returns>The tensor, or null after a report.</returns>
    public StoredTensor? Require(string suffix, IReadOnlyList<string> types, params long[] dimensions)
    {
        var wanted = $"{string.Join(" or ", types)} [{string.Join(", ", dimensions)}]";
        if (Find(suffix) is not { } tensor)
        {
            Report($"'{name}.{suffix}' {wanted} is missing");
            return null;
        }

        if (types.Contains(tensor.Shape.TypeCode) && tensor.Shape.Dimensions.SequenceEqual(dimensions))
        {
            return tensor;
        }

        Report($"'{tensor.Name}' is {tensor.Shape}, expected {wanted}");
        return null;
    }

    /// <summary>Scales of which there may be one for all, one for each row, or one for each block of rows and columns.</summary>
    /// <param name="rowsPerScale">Rows of a block.</param>
    /// <param name="groups">The groups that columns fall into where there is one for each block.</param>
    /// <returns>The scales and the groups that they have, or null after a report.</returns>
    public (ScaleGrid Scales, ColumnGroups Groups)? RequireScales(string suffix, int rowsPerScale, ColumnGroups groups)
    {
        if (Find(suffix) is not { } tensor)
        {
            Report($"'{name}.{suffix}' is missing");
            return null;
        }

        if (tensor.Shape.Type is not { } type)
        {
            Report($"'{tensor.Name}' is {tensor.Shape}, supported: {string.Join(", ", ScaleTypes)}");
            return null;
        }

        var blocks = (Rows + rowsPerScale - 1) / rowsPerScale;
        var whole = ColumnGroups.Consecutive(Columns, Columns);
        switch (tensor.Shape.Dimensions)
        {
            case [] or [1] or [1, 1]:
                return (new ScaleGrid(tensor.Data, type, 0, 0), whole);
            case [var rows] when rows == Rows:
            case [var column, 1] when column == Rows:
                return groups.Count > 1 && rowsPerScale == 1 ? Mismatch() : (new ScaleGrid(tensor.Data, type, 1, 0), whole);
            case [var rows, var count] when rows == blocks && count == groups.Count:
                return (new ScaleGrid(tensor.Data, type, count, 1, rowsPerScale), groups);
            default:
                return Mismatch();
        }

        (ScaleGrid, ColumnGroups)? Mismatch()
        {
            Report($"'{tensor.Name}' is {tensor.Shape}, expected [{blocks}, {groups.Count}] for a matrix [{Rows}, {Columns}]");
            return null;
        }
    }

    /// <summary>Scales [groups, rows], as AWQ and GPTQ lay them out.</summary>
    public ScaleGrid? RequireTransposedScales(int groups) =>
        Require("scales", ScaleTypes, groups, Rows) is { } tensor ? new ScaleGrid(tensor.Data, tensor.Shape.Type!.Value, 1, Rows) : null;

    /// <summary>One number of a float type.</summary>
    public unsafe float? RequireNumber(string suffix)
    {
        if (Find(suffix) is { } tensor && tensor.Shape.Type is { } type && tensor.Shape.Dimensions is [] or [1])
        {
            var value = new ScaleGrid(tensor.Data, type, 0, 0)[0, 0];
            if (float.IsFinite(value) && value > 0)
            {
                return value;
            }

            Report($"'{tensor.Name}' is {value}, expected a finite number above 0");
            return null;
        }

        Report($"'{name}.{suffix}' is {Find(suffix)?.Shape.ToString() ?? "missing"}, expected one number ({string.Join(", ", ScaleTypes)})");
        return null;
    }

    /// <summary>The group of each column, or null after a report.</summary>
    public unsafe ColumnGroups? RequireGroupIndex(string suffix, int size, int count)
    {
        if (Require(suffix, ["I32"], Columns) is not { } tensor)
        {
            return null;
        }

        var indices = new ReadOnlySpan<int>((int*)tensor.Data, Columns).ToArray();
        var bad = Array.FindIndex(indices, index => index < 0 || index >= count);
        if (bad >= 0)
        {
            Report($"'{tensor.Name}' puts column {bad} in group {indices[bad]}, but there are {count}");
            return null;
        }

        return ColumnGroups.Of(indices, size, count);
    }
}
