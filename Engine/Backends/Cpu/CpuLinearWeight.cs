using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Rows of weights in their stored type, in one or more pieces, each padded with zeros to whole vectors.</summary>
internal sealed unsafe class CpuLinearWeight : LinearWeight
{
    private readonly List<NativeBuffer> _owned;

    public CpuLinearWeight(int outputs, int inputs, IReadOnlyList<Segment> segments, CpuTensor? bias, List<NativeBuffer> owned)
        : base(outputs, inputs)
    {
        Segments = [.. segments];
        Preparations = [.. segments.Select(segment => segment.Preparation).OfType<InputPreparation>().Distinct()];
        Bias = bias;
        _owned = owned;
        foreach (var segment in segments)
        {
            ByteCount += segment.RowCount * segment.RowBytes;
        }
    }

    public Segment[] Segments { get; }

    /// <summary>What segments want done to the input first, each once.</summary>
    public InputPreparation[] Preparations { get; }

    /// <summary>[1, outputs]</summary>
    public CpuTensor? Bias { get; }

    public override long ByteCount { get; }

    public override void Dispose()
    {
        Bias?.Dispose();
        _owned.ForEach(buffer => buffer.Dispose());
    }

    /// <summary>Consecutive outputs whose rows lie one after the other, or in tiles as <see cref="PackedWeights"/> or <see cref="QuantizedWeights"/> says.</summary>
    internal readonly struct Segment(ElementType type, byte* data, nint rowBytes, int firstOutput, int rowCount, bool isPacked)
    {
        /// <summary>How quantised rows lie; null where numbers are plain.</summary>
        public QuantizedLayout? Layout { get; init; }

        /// <summary>What is done to the input first; null takes it as it is.</summary>
        public InputPreparation? Preparation { get; init; }

        public ElementType Type => type;

        public byte* Data => data;

        public nint RowBytes => rowBytes;

        public int FirstOutput => firstOutput;

        public int RowCount => rowCount;

        public bool IsPacked => isPacked;
    }
}
