using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Device memory with one owner.</summary>
internal sealed unsafe class DeviceBuffer : IDisposable
{
    private readonly CudaDevice _device;
    private nint _address;

    /// <exception cref="CudaException">The device has not enough memory; says how much was asked for and how much is free.</exception>
    public DeviceBuffer(CudaDevice device, long bytes, string purpose)
    {
        _device = device;
        Bytes = bytes;
        nint address;
        CudaStatus status = Driver.MemoryAllocate(&address, (nuint)Math.Max(bytes, 16));
        if (status.IsOutOfMemory)
        {
            (long free, long total) = device.Memory();
            throw new CudaException(status.Code,
                $"{device.Name} has not enough memory for {purpose}: {bytes / 1e9:0.00} GB needed, {free / 1e9:0.00} of {total / 1e9:0.00} GB free; "
                + "lower --gpu-memory, --max-batch, --max-step-tokens or --max-context, or choose a smaller model.");
        }

        status.Check();
        _address = address;
    }

    /// <summary>Device memory that holds what the host has here.</summary>
    public static DeviceBuffer Of<T>(CudaDevice device, ReadOnlySpan<T> values, string purpose)
        where T : unmanaged
    {
        DeviceBuffer buffer = new(device, (long)values.Length * sizeof(T), purpose);
        fixed (T* source = values)
        {
            Driver.CopyToDeviceAsync(buffer.Address, source, (nuint)values.Length * (nuint)sizeof(T), device.Stream).Check();
            device.Synchronize();
        }

        return buffer;
    }

    public nint Address => _address;

    public long Bytes { get; }

    public void Dispose()
    {
        if (_address != 0)
        {
            _device.MakeCurrent();
            Driver.MemoryFree(_address);
            _address = 0;
        }
    }
}
