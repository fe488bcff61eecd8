namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>fp8 with a scale for each block of 128 × 128 (DeepSeek) or for the whole matrix (AutoFP8).</summary>
internal sealed class Fp8Format : QuantizationFormat
{
    private readonly (int Rows, int Columns)? _block;
    private readonly bool _isStatic;

    private Fp8Format((int Rows, int Columns)? block, bool isStatic)
    {
        _block = block;
        _isStatic = isStatic;
    }

    public override string Description => _block is { } block ? $"fp8, blocks of {block.Rows} × {block.Columns}" : $"fp8, one scale a matrix, {(_isStatic ? "static" : "dynamic")} activations";

    public static Fp8Format Create(ConfigJson json)
    {
        if (json.String("fmt") is { } format and not ("e4m3" or "float8_e4m3fn"))
        {
            throw json.Unsupported("fmt", format, "e4m3");
        }

        var scheme = json.String("activation_scheme") ?? "dynamic";
        if (scheme is not ("static" or "dynamic"))
        {
            throw json.Unsupported("activation_scheme", scheme, "static, dynamic");
        }

        if (!json.Has("weight_block_size"))
        {
            return new Fp8Format(null, scheme == "static");
        }

        var block = json.IntegerOrList("weight_block_size");
        if (block is not [> 0, > 0])
        {
            throw json.Error("weight_block_size", $"is [{string.Join(", ", block)}], expected two numbers above 0; correct the file.");
        }

        return scheme == "dynamic"
            ? new Fp8Format((block[0], block[1]), false)
            : throw json.Unsupported("activation_scheme", scheme, "dynamic (with weight_block_size)");
    }

    protected override QuantizedTensor? Open(QuantizedModule module)
    {
        if (module.Find("weight") is not { } weight || !weight.Shape.TypeCode.StartsWith("F8", StringComparison.Ordinal))
        {
            return null;
        }

        var scaleName = _block is null && module.Has("weight_scale") ? "weight_scale" : "weight_scale_inv";
        if (_block is null && !module.Has(scaleName))
        {
            scaleName = "weight_scale";
        }

        var groups = ColumnGroups.Consecutive(module.Columns, _block?.Columns ?? module.Columns);
        var codes = module.Require("weight", ["F8_E4M3"], module.Rows, module.Columns);
        var scales = module.RequireScales(scaleName, _block?.Rows ?? 1, groups);

        // Mistral's checkpoints have the second name.
        var inputScale = _isStatic ? module.RequireNumber(module.Has("input_scale") || !module.Has("activation_scale") ? "input_scale" : "activation_scale") : null;
        return codes is null || scales is null
            ? null
            : new ByteTensor(module.WeightName, module.Rows, module.Columns, QuantizedCode.Fp8, scales.Value.Groups, codes.Value.Data, scales.Value.Scales)
            {
                Activations = new ActivationQuantization { Code = QuantizedCode.Fp8, Scale = inputScale, GroupColumns = _block?.Columns ?? 0 },
            };
    }
}
