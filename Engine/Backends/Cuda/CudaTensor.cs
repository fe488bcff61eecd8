namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A tensor in device memory, rows one after the other in the backend's element type.</summary>
/// <param name="address">Device address of the first element.</param>
/// <param name="owned">Freed with the tensor; null for a view.</param>
internal sealed class CudaTensor(int rows, int columns, nint address, DeviceBuffer? owned) : DeviceTensor(rows, columns)
{
    public nint Address { get; } = address;

    /// <summary>Added to every element by the kernels that read it: Gemma stores norm weights less one, and 16 bits would not hold the sum.</summary>
    public float Offset { get; init; }

    /// <summary>Address of the same numbers in float32, for what 16 bits would change: which expert is chosen; 0 where there are none (vectors have them).</summary>
    public nint Float32 => Precise?.Address ?? 0;

    /// <summary>Weight of a norm that became part of the matrix that reads the norm: what is left of it is ones.</summary>
    public bool Folded { get; set; }

    /// <summary>Freed with the tensor.</summary>
    public DeviceBuffer? Precise { get; init; }

    public override void Dispose()
    {
        owned?.Dispose();
        Precise?.Dispose();
    }
}
