using Fastgen.Engine.Model.Checkpoints;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Model;

/// <summary>One matrix of every expert of a layer, in one tensor: plain and transposed [experts, inputs, outputs], or quantised and not.</summary>
internal readonly struct ExpertStack
{
    private readonly ExpectedTensor _tensor;
    private readonly QuantizedTensor? _quantized;
    private readonly HostTensor _plain;

    /// <param name="reader">Of which no more is read as long as this is used.</param>
    public ExpertStack(WeightReader reader, ExpectedTensor tensor)
    {
        _tensor = tensor;
        _quantized = reader.OpenQuantized(tensor);
        _plain = _quantized is null ? reader.Read(tensor) : default;
    }

    /// <summary>Every so many outputs of an expert, as a matrix [<paramref name="outputs"/>, inputs].</summary>
    public ExpectedTensor AddTo(DerivedWeights derived, string name, int expert, int firstOutput, int outputs, int step)
    {
        var inputs = _tensor.Rows / _tensor.Stack;
        return _quantized is { } quantized
            ? derived.AddQuantized(name, quantized, (expert * _tensor.Columns) + firstOutput, outputs, step)
            : derived.AddTransposed(name, _plain, expert * inputs, inputs, firstOutput, outputs, step);
    }
}
