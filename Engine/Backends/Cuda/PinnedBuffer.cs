using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Page-locked host memory: the device copies from and to it while the host goes on.</summary>
internal sealed unsafe class PinnedBuffer : IDisposable
{
    private void* _pointer;

    public PinnedBuffer(long bytes)
    {
        Bytes = bytes;
        void* pointer;
        Driver.HostAllocate(&pointer, (nuint)Math.Max(bytes, 16), 0).Check();
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
