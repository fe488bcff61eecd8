namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A tensor in device memory, rows one after the other in the backend's element type.</summary>
/// <param name="address">Device address of the first element.</param>
/// <param name="owned">Freed with the tensor; null for a view.</param>
internal sealed class CudaTensor(int rows, int columns, nint address, DeviceBuffer? owned) : DeviceTensor(rows, columns)
{
    public nint Address { get; } = address;

    public override void Dispose() => owned?.Dispose();
}
