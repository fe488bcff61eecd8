namespace Fastgen.Engine.Model.Checkpoints.Quantization;

/// <summary>How a checkpoint's matrices are quantised, as <c>quantization_config</c> says it.</summary>
/// <remarks>Which matrices are quantised the tensors decide: a matrix that is there in plain form is read as such, so lists of modules
/// that were left out need not be trusted.</remarks>
internal abstract class QuantizationFormat
{
    private const string Supported = "awq (gemm), gptq, compressed-tensors (pack-quantized, int-quantized, float-quantized), fp8 and mxfp4";

    /// <summary>For people: method, bits and groups.</summary>
    public abstract string Description { get; }

    /// <summary>Reads <c>quantization_config</c>, or the same of an older <c>quantize_config.json</c>.</summary>
    /// <exception cref="ModelLoadException">The method, or one of its options, is not supported; names it and what is.</exception>
    public static QuantizationFormat Read(ConfigJson json)
    {
        var method = json.String("quant_method") ?? (json.Has("bits") && json.Has("desc_act") ? "gptq" : null);
        return method switch
        {
            "awq" => AwqFormat.Create(json),
            "gptq" => GptqFormat.Create(json),
            "compressed-tensors" => CompressedTensorsFormat.Create(json),
            "fp8" => Fp8Format.Create(json),
            "mxfp4" => new MxFp4Format(),
            null => throw json.Error("quant_method", $"is missing; supported: {Supported}."),
            _ => throw json.Unsupported("quant_method", method, Supported),
        };
    }

    /// <summary>The quantised form of a matrix, checked against the shape that the model needs.</summary>
    /// <param name="expected">The matrix, or the stack of matrices, as it would be plain.</param>
    /// <param name="problems">Takes what does not fit.</param>
    /// <returns>Null where the matrix is not quantised, or has problems.</returns>
    public QuantizedTensor? Open(ExpectedTensor expected, TensorLookup lookup, List<string> problems)
    {
        var known = problems.Count;
        const string Suffix = ".weight";
        if (expected.Stack > 0)
        {
            var dot = expected.Name.LastIndexOf('.');
            return Checked(OpenStack(expected, expected.Name[(dot + 1)..], new QuantizedModule(expected, expected.Name[..dot], lookup, problems)));
        }

        if (!expected.Name.EndsWith(Suffix, StringComparison.Ordinal))
        {
            return null;
        }

        return Checked(Open(new QuantizedModule(expected, expected.Name[..^Suffix.Length], lookup, problems)));

        QuantizedTensor? Checked(QuantizedTensor? tensor) => problems.Count == known ? tensor : null;
    }

    protected abstract QuantizedTensor? Open(QuantizedModule module);

    /// <summary>The same of matrices that lie in one tensor, as the rows [stack × outputs, inputs] of one matrix: transposed against the plain form.</summary>
    /// <param name="leaf">Last part of the tensor's name.</param>
    /// <param name="module">What its name says before that.</param>
    protected virtual QuantizedTensor? OpenStack(ExpectedTensor expected, string leaf, QuantizedModule module) => null;
}
