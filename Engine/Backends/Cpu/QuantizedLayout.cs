using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints.Quantization;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Where things lie in a tile of <see cref="QuantizedWeights"/>: scales [group, row], zeros [group, row], codes, each from a multiple of 64 bytes.</summary>
internal sealed class QuantizedLayout
{
    private const int AlignmentBytes = 64;

    public QuantizedLayout(QuantizedTensor tensor)
    {
        Code = tensor.Code;
        ScaleType = tensor.ScaleType;
        HasZeros = tensor.HasZeros;
        Inputs = tensor.Columns;
        GroupInputs = tensor.Groups.Count == 1 ? tensor.Columns : tensor.Groups.Size;
        GroupCount = tensor.Groups.Count;
        Order = tensor.Groups.Order;
        TileOutputs = IsInteger ? IntegerKernel.TileOutputs : LinearKernel.TileOutputs;
        ZeroOffset = Pad((nint)GroupCount * TileOutputs * ScaleType.SizeBytes());
        CodeOffset = ZeroOffset + (HasZeros ? Pad((nint)GroupCount * TileOutputs) : 0);
        TileBytes = CodeOffset + ((nint)(Inputs / QuantizedWeights.UnitInputs) * UnitBytes * TileOutputs);
    }

    public QuantizedCode Code { get; }

    /// <summary>Codes are integers, which <see cref="IntegerProduct"/> multiplies.</summary>
    public bool IsInteger => Code is QuantizedCode.Int4 or QuantizedCode.Int8;

    /// <summary>Inputs of a line of integers.</summary>
    public int LineInputs => Code == QuantizedCode.Int4 ? 8 : 4;

    /// <summary>Rows of a tile.</summary>
    public int TileOutputs { get; }

    public ElementType ScaleType { get; }

    public bool HasZeros { get; }

    /// <summary>Zero of all codes where none are stored.</summary>
    public int DefaultZero => Code == QuantizedCode.Int4 ? 8 : 0;

    public int Inputs { get; }

    /// <summary>Inputs that share a scale, in the order of codes.</summary>
    public int GroupInputs { get; }

    public int GroupCount { get; }

    /// <summary>Position to input; null is the natural order.</summary>
    public int[]? Order { get; }

    public nint ZeroOffset { get; }

    public nint CodeOffset { get; }

    public nint TileBytes { get; }

    /// <summary>Bytes of one row's part of a unit.</summary>
    public int UnitBytes => Code is QuantizedCode.Int4 or QuantizedCode.Fp4 ? QuantizedWeights.UnitInputs / 2 : QuantizedWeights.UnitInputs;

    private static nint Pad(nint bytes) => (bytes + AlignmentBytes - 1) / AlignmentBytes * AlignmentBytes;
}
