using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Page-locked host memory: the device copies from and to it while the host goes on.</summary>
internal sealed unsafe class PinnedBuffer : IDisposable
{
    private void* _pointer;

    /// <exception cref="CudaException">The system locks no more memory; says how much was asked for.</exception>
    public PinnedBuffer(long bytes, string purpose)
    {
        Bytes = bytes;
        void* pointer;
        CudaStatus status = Driver.HostAllocate(&pointer, (nuint)Math.Max(bytes, 16), 0);
        if (status.IsOutOfMemory)
        {
            throw new CudaException(status.Code,
                $"The system gives no page-locked memory for {purpose}: {bytes / 1e6:0.0} MB needed, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1e9:0.00} GB of memory in all; "
                + "free memory of the host, raise the limit of the container or of locked memory (ulimit -l), or lower --max-batch and --max-step-tokens.");
        }

        status.Check();
        _pointer = pointer;
    }

    public byte* Pointer => (byte*)_pointer;

    public long Bytes { get; }

    public Span<T> Span<T>(long offsetBytes, int count)
        where T : unmanaged
        => new((byte*)_pointer + offsetBytes, count);

    public void Dispose()
    {
        if (_pointer != null)
        {
            Driver.HostFree(_pointer);
            _pointer = null;
        }
    }
}
