using System.Runtime.InteropServices;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Native memory aligned for vectors, or for large pages where it is big. Pages that are never touched take no memory.</summary>
internal sealed unsafe partial class NativeBuffer : SafeHandle
{
    private const nuint LargePageBytes = 2 << 20;

    private const nuint VectorAlignmentBytes = 64;

    /// <summary>madvise(2): the kernel may back the range with large pages.</summary>
    private const int AdviseHugePage = 14;

    private NativeBuffer(void* pointer, nuint bytes)
        : base(0, ownsHandle: true)
    {
        SetHandle((nint)pointer);
        ByteCount = bytes;
    }

    public override bool IsInvalid => handle == 0;

    public byte* Pointer => (byte*)handle;

    public nuint ByteCount { get; }

    /// <param name="bytes">Size; contents are not defined.</param>
    /// <exception cref="OutOfMemoryException">The system has not that much.</exception>
    public static NativeBuffer Allocate(long bytes)
    {
        var size = Math.Max((nuint)bytes, 1);
        var large = size >= LargePageBytes;
        if (large)
        {
            size = (size + LargePageBytes - 1) / LargePageBytes * LargePageBytes;
        }

        var pointer = NativeMemory.AlignedAlloc(size, large ? LargePageBytes : VectorAlignmentBytes);
        if (large && OperatingSystem.IsLinux())
        {
            // Advice only: where the kernel refuses, small pages do, some per cent slower.
            _ = MemoryAdvise(pointer, size, AdviseHugePage);
        }

        return new NativeBuffer(pointer, size);
    }

    public static NativeBuffer AllocateZeroed(long bytes)
    {
        var buffer = Allocate(bytes);
        NativeMemory.Clear(buffer.Pointer, buffer.ByteCount);
        return buffer;
    }

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(void* address, nuint length, int advice);
}
