namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>AWQ as AutoAWQ writes it: 4 bits, layout gemm.</summary>
internal sealed class AwqFormat : QuantizationFormat
{
    private readonly int _groupSize;

    private AwqFormat(int groupSize) => _groupSize = groupSize;

    public override string Description => $"awq, 4 bits, {(_groupSize < 0 ? "one group a row" : $"groups of {_groupSize}")}";

    public static AwqFormat Create(ConfigJson json)
    {
        var version = json.String("version") ?? "gemm";
        if (!version.Equals("gemm", StringComparison.OrdinalIgnoreCase))
        {
            throw json.Unsupported("version", version, "gemm");
        }

        var bitsKey = json.Has("w_bit") ? "w_bit" : "bits";
        if (json.Integer(bitsKey, 1, 64) is { } bits and not 4)
        {
            throw json.Unsupported(bitsKey, $"{bits}", "4");
        }

        return new AwqFormat(GroupSize(json, json.Has("q_group_size") ? "q_group_size" : "group_size"));
    }

    /// <summary>Columns of a group, or -1 for whole rows.</summary>
    internal static int GroupSize(ConfigJson json, string key) => json.Integer(key, -1, int.MaxValue) switch
    {
        null => 128,
        0 => throw json.Error(key, "is 0, expected -1 (whole rows) or a number of columns; correct the file."),
        var size => size.Value,
    };

    protected override QuantizedTensor? Open(QuantizedModule module)
    {
        if (!module.Has("qweight"))
        {
            return null;
        }

        if (module.Rows % AwqTensor.RowsPerWord != 0)
        {
            module.Report($"'{module.Name}.qweight' packs 8 outputs a word, but the matrix has {module.Rows}");
            return null;
        }

        var groups = ColumnGroups.Consecutive(module.Columns, _groupSize < 0 ? module.Columns : _groupSize);
        var words = module.Require("qweight", ["I32"], module.Columns, module.Rows / AwqTensor.RowsPerWord);
        var zeros = module.Require("qzeros", ["I32"], groups.Count, module.Rows / AwqTensor.RowsPerWord);
        var scales = module.RequireTransposedScales(groups.Count);
        return words is null || zeros is null || scales is null
            ? null
            : AwqTensor.Create(module.WeightName, module.Rows, module.Columns, groups, words.Value.Data, zeros.Value.Data, scales.Value);
    }
}
