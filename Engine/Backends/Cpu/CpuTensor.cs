namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Activations or a widened vector in fp32. Rows are padded with zeros to whole vectors, so kernels need no tails.</summary>
internal sealed unsafe class CpuTensor : DeviceTensor
{
    /// <summary>Rows begin at multiples of this many floats.</summary>
    public const int RowAlignment = 16;

    private readonly NativeBuffer _buffer;

    public CpuTensor(int rows, int columns)
        : base(rows, columns)
    {
        Stride = Pad(columns);
        var bytes = (long)rows * Stride * sizeof(float);

        // Without padding every element is written before it is read, so untouched pages can stay untouched.
        _buffer = Stride == columns ? NativeBuffer.Allocate(bytes) : NativeBuffer.AllocateZeroed(bytes);
    }

    /// <summary>Floats from one row to the next.</summary>
    public int Stride { get; }

    public float* Data => (float*)_buffer.Pointer;

    public static int Pad(int columns) => (columns + RowAlignment - 1) / RowAlignment * RowAlignment;

    /// <summary>The tensor where it is large enough, else a new one in its place; contents are not kept.</summary>
    public static CpuTensor Grow(CpuTensor? tensor, int rows, int columns)
    {
        if (tensor is not null && tensor.Rows >= rows && tensor.Columns == columns)
        {
            return tensor;
        }

        tensor?.Dispose();
        return new CpuTensor(Math.Max(rows, 2 * (tensor?.Rows ?? 0)), columns);
    }

    public float* Row(int row) => Data + ((nint)row * Stride);

    public override void Dispose() => _buffer.Dispose();
}
