namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>How one group of layers of compressed-tensors is quantised.</summary>
internal sealed class CompressedTensorsScheme
{
    private readonly string _format;
    private readonly int _bits;
    private readonly bool _isFloat;
    private readonly bool _isSymmetric;

    /// <summary>tensor, channel, group or block.</summary>
    private readonly string _strategy;
    private readonly int _groupSize;
    private readonly (int Rows, int Columns) _block;
    private readonly ActivationQuantization? _activations;
    private readonly bool _activationsAreStatic;

    private CompressedTensorsScheme(ConfigJson group, ConfigJson weights, string format)
    {
        _format = format;
        Targets = [.. (group.Strings("targets") ?? []).Select(text => CompressedTensorsFormat.ModuleTarget.Read(group, "targets", text))];
        _bits = weights.Integer("num_bits", 1, 64) ?? 8;
        var type = weights.String("type") ?? "int";
        _isFloat = type == "float";
        _isSymmetric = weights.Boolean("symmetric") ?? true;
        if (type is not ("int" or "float"))
        {
            throw weights.Unsupported("type", type, "int, float");
        }

        if (_isFloat ? _bits != 8 : _bits is not (4 or 8) || (_bits == 4 && format != "pack-quantized"))
        {
            throw weights.Unsupported("num_bits", $"{_bits} ({type}, {format})", "4 and 8 (int, pack-quantized), 8 (int-quantized), 8 (float)");
        }

        if (_isFloat && !_isSymmetric)
        {
            throw weights.Unsupported("symmetric", "false", "true (float)");
        }

        _groupSize = weights.Integer("group_size", -1, int.MaxValue) is { } size and > 0 ? size : 0;
        _strategy = weights.String("strategy") ?? (_groupSize > 0 ? "group" : "tensor");
        if (_strategy is not ("tensor" or "channel" or "group" or "block") || (_strategy == "group" && _groupSize == 0))
        {
            throw weights.Unsupported("strategy", _strategy, "tensor, channel, group (with group_size), block (with block_structure)");
        }

        if (_strategy == "block")
        {
            var block = weights.IntegerOrList("block_structure");
            _block = block is [> 0, > 0] ? (block[0], block[1]) : throw weights.Error("block_structure", "is missing or not two numbers above 0; correct the file.");
        }

        if (group.Object("output_activations") is not null)
        {
            throw group.Unsupported("output_activations", "set", "null");
        }

        _activations = ReadActivations(group.Object("input_activations"), out _activationsAreStatic);
    }

    public IReadOnlyList<CompressedTensorsFormat.ModuleTarget> Targets { get; }

    public string Description => $"{_format}, {(_isFloat ? "fp" : "int")}{_bits} by {_strategy}{(_strategy == "group" ? $" of {_groupSize}" : "")}{(_activations is null ? "" : $", {(_activationsAreStatic ? "static" : "dynamic")} {_activations.Code} activations")}";

    public static CompressedTensorsScheme Read(ConfigJson group, string format) =>
        new(group, group.Object("weights") ?? throw group.Unsupported("weights", "null", "a description of weights"), format);

    public QuantizedTensor? Open(QuantizedModule module) => _format == "pack-quantized" && !_isFloat ? OpenPacked(module) : OpenBytes(module);

    private static ActivationQuantization? ReadActivations(ConfigJson? json, out bool isStatic)
    {
        isStatic = false;
        if (json is null)
        {
            return null;
        }

        var type = json.String("type") ?? "int";
        if (type is not ("int" or "float") || json.Integer("num_bits", 1, 64) is not (null or 8))
        {
            throw json.Unsupported("num_bits", $"{json.Integer("num_bits", 1, 64)} ({type})", "8 (int, float)");
        }

        // "local" computes scales anew under a stored global one.
        isStatic = json.IsFalseOrAbsent("dynamic");
        var strategy = json.String("strategy") ?? (isStatic ? "tensor" : "token");
        var isSupported = isStatic ? strategy == "tensor" : strategy is "token" or "group";
        if (!isSupported)
        {
            throw json.Unsupported("strategy", $"{strategy} ({(isStatic ? "static" : "dynamic")})", "token and group (dynamic), tensor (static)");
        }

        var groupColumns = strategy == "group" ? json.Integer("group_size", 1, int.MaxValue) ?? 128 : 0;
        return new ActivationQuantization
        {
            Code = type == "int" ? QuantizedCode.Int8 : QuantizedCode.Fp8,
            IsSymmetric = json.Boolean("symmetric") ?? true,
            GroupColumns = groupColumns,
        };
    }

    private PackedRowsTensor? OpenPacked(QuantizedModule module)
    {
        if (!module.Has("weight_packed"))
        {
            return null;
        }

        var perWord = 32 / _bits;
        var groups = Groups(module);
        var words = module.Require("weight_packed", ["I32"], module.Rows, (module.Columns + perWord - 1) / perWord);
        var scales = module.RequireScales("weight_scale", 1, groups);
        CheckShape(module);

        // Without an index, or with one of -1, columns follow in order.
        var hasOrder = _strategy == "group" && module.Find("weight_g_idx") is { } index && !IsUnset(index);
        var order = hasOrder ? module.RequireGroupIndex("weight_g_idx", _groupSize, groups.Count) : scales?.Groups;
        StoredTensor? zeros = null, byteZeros = null;
        if (!_isSymmetric && scales is not null)
        {
            var count = scales.Value.Groups.Count;
            if (module.Find("weight_zero_point")?.Shape.TypeCode == "I8")
            {
                byteZeros = module.Require("weight_zero_point", ["I8"], module.Rows, count);
            }
            else
            {
                zeros = module.Require("weight_zero_point", ["I32"], (module.Rows + perWord - 1) / perWord, count);
            }
        }

        return words is null || scales is null || order is null
            ? null
            : PackedRowsTensor.Create(module.WeightName, module.Rows, module.Columns, order, words.Value.Data, zeros?.Data ?? 0, byteZeros?.Data ?? 0, _bits, scales.Value.Scales, Activations(module));
    }

    private ByteTensor? OpenBytes(QuantizedModule module)
    {
        var type = _isFloat ? "F8_E4M3" : "I8";
        if (module.Find("weight") is not { } weight || weight.Shape.Type is not null)
        {
            return null;
        }

        var rowsPerScale = _strategy == "block" ? _block.Rows : 1;
        var codes = module.Require("weight", [type], module.Rows, module.Columns);
        var scales = module.RequireScales("weight_scale", rowsPerScale, Groups(module));
        StoredTensor? zeros = null;
        if (!_isSymmetric && module.Find("weight_scale") is { } stored)
        {
            zeros = module.Require("weight_zero_point", ["I8"], [.. stored.Shape.Dimensions]);
        }

        return codes is null || scales is null
            ? null
            : new ByteTensor(module.WeightName, module.Rows, module.Columns, _isFloat ? QuantizedCode.Fp8 : QuantizedCode.Int8, scales.Value.Groups, codes.Value.Data, scales.Value.Scales, zeros?.Data ?? 0)
            {
                Activations = Activations(module),
            };
    }

    private static unsafe bool IsUnset(StoredTensor index) =>
        index.Shape.TypeCode == "I32" && index.Shape.Dimensions is [> 0] && *(int*)index.Data == -1;

    private static unsafe void CheckShape(QuantizedModule module)
    {
        if (module.Find("weight_shape") is not { } shape)
        {
            return;
        }

        var isLong = shape.Shape.TypeCode == "I64";
        if (shape.Shape.Dimensions is not [2] || !(isLong || shape.Shape.TypeCode == "I32"))
        {
            module.Report($"'{shape.Name}' is {shape.Shape}, expected I64 or I32 [2]");
            return;
        }

        var (rows, columns) = isLong ? (((long*)shape.Data)[0], ((long*)shape.Data)[1]) : (((int*)shape.Data)[0], ((int*)shape.Data)[1]);
        if (rows != module.Rows || columns != module.Columns)
        {
            module.Report($"'{shape.Name}' holds [{rows}, {columns}], expected [{module.Rows}, {module.Columns}]");
        }
    }

    private ColumnGroups Groups(QuantizedModule module) => _strategy switch
    {
        "group" => ColumnGroups.Consecutive(module.Columns, _groupSize),
        "block" => ColumnGroups.Consecutive(module.Columns, _block.Columns),
        _ => ColumnGroups.Consecutive(module.Columns, module.Columns),
    };

    private unsafe ActivationQuantization? Activations(QuantizedModule module)
    {
        if (_activations is null || !_activationsAreStatic)
        {
            return _activations;
        }

        var zero = !_activations.IsSymmetric && module.Find("input_zero_point") is { } stored && stored.Shape.TypeCode == "I8" && stored.Shape.Dimensions is [] or [1]
            ? *(sbyte*)stored.Data
            : 0;
        return _activations with { Scale = module.RequireNumber("input_scale"), Zero = zero };
    }
}
