namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>GPTQ as AutoGPTQ and GPTQModel write it, with 4 or 8 bits, in both versions, with columns in any order.</summary>
internal sealed class GptqFormat : QuantizationFormat
{
    private readonly int _bits;
    private readonly int _groupSize;
    private readonly int _zeroOffset;

    private GptqFormat(int bits, int groupSize, int zeroOffset)
    {
        _bits = bits;
        _groupSize = groupSize;
        _zeroOffset = zeroOffset;
    }

    public override string Description => $"gptq{(_zeroOffset == 0 ? " v2" : "")}, {_bits} bits, {(_groupSize < 0 ? "one group a row" : $"groups of {_groupSize}")}";

    public static GptqFormat Create(ConfigJson json)
    {
        var bits = json.Integer("bits", 1, 64) ?? 4;
        if (bits is not (4 or 8))
        {
            throw json.Unsupported("bits", $"{bits}", "4, 8");
        }

        var formatKey = json.Has("checkpoint_format") || !json.Has("format") ? "checkpoint_format" : "format";
        var zeroOffset = json.String(formatKey) switch
        {
            null or "gptq" => 1,
            "gptq_v2" => 0,
            var other => throw json.Unsupported(formatKey, other, "gptq, gptq_v2"),
        };
        if (json.String("pack_dtype") is { } pack and not "int32")
        {
            throw json.Unsupported("pack_dtype", pack, "int32");
        }

        // Rules that begin with "-:" leave modules plain, which the tensors tell by themselves.
        if (json.Object("dynamic")?.Keys.FirstOrDefault(rule => !rule.StartsWith("-:", StringComparison.Ordinal)) is { } changed)
        {
            throw json.Unsupported("dynamic", changed, "rules that leave modules out (-:)");
        }

        return new GptqFormat(bits, AwqFormat.GroupSize(json, "group_size"), zeroOffset);
    }

    protected override QuantizedTensor? Open(QuantizedModule module)
    {
        if (!module.Has("qweight"))
        {
            return null;
        }

        var perWord = 32 / _bits;
        if (module.Rows % perWord != 0 || module.Columns % perWord != 0)
        {
            module.Report($"'{module.Name}.qweight' packs {perWord} numbers a word, but the matrix is [{module.Rows}, {module.Columns}]");
            return null;
        }

        var size = _groupSize < 0 ? module.Columns : _groupSize;
        var groups = ColumnGroups.Consecutive(module.Columns, size);
        var words = module.Require("qweight", ["I32"], module.Columns / perWord, module.Rows);
        var zeros = module.Require("qzeros", ["I32"], groups.Count, module.Rows / perWord);
        var scales = module.RequireTransposedScales(groups.Count);
        var order = module.Has("g_idx") ? module.RequireGroupIndex("g_idx", size, groups.Count) : groups;
        return words is null || zeros is null || scales is null || order is null
            ? null
            : GptqTensor.Create(module.WeightName, module.Rows, module.Columns, order, words.Value.Data, zeros.Value.Data, _bits, _zeroOffset, scales.Value);
    }
}
