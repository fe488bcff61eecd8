using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Cache and places for timing the rotation of many tokens before there is a cache.</summary>
internal sealed unsafe class RotationTrial : IDisposable
{
    private readonly DeviceBuffer _cache;
    private readonly DeviceBuffer _positions;
    private readonly DeviceBuffer _slots;

    /// <param name="cosSin">Angles of at least <paramref name="positions"/> positions.</param>
    /// <param name="rows">Most tokens at once; each has a slot of its own.</param>
    public RotationTrial(CudaDevice device, AttentionLayout layout, nint cosSin, int rows, int positions, int blockSize)
    {
        long bytes = (rows + blockSize - 1L) / blockSize * blockSize * layout.KeyValueHeadCount * layout.HeadDim * 2;
        _cache = new DeviceBuffer(device, 2 * bytes, "tuning");
        _positions = Send(device, [.. Enumerable.Range(0, rows).Select(i => i % positions)]);
        _slots = Send(device, [.. Enumerable.Range(0, rows)]);
        Target = new RotaryTarget(_cache.Address, _cache.Address + (nint)bytes, cosSin, _positions.Address, _slots.Address, layout.HeadCount, layout.KeyValueHeadCount);
    }

    public RotaryTarget Target { get; }

    public void Dispose()
    {
        _cache.Dispose();
        _positions.Dispose();
        _slots.Dispose();
    }

    private static DeviceBuffer Send(CudaDevice device, int[] values)
    {
        DeviceBuffer buffer = new(device, values.Length * (long)sizeof(int), "tuning");
        fixed (int* source = values)
        {
            Driver.CopyToDeviceAsync(buffer.Address, source, (nuint)buffer.Bytes, device.Stream).Check();
            device.Synchronize();
        }

        return buffer;
    }
}
