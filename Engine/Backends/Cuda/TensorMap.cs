using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Descriptors by which Hopper's copy engine reads boxes of 64 columns.</summary>
internal static unsafe class TensorMap
{
    /// <summary>CUtensorMap is 128 bytes and lies on 64.</summary>
    public const int Bytes = 128;

    private const int TypeFp16 = 6;
    private const int TypeBf16 = 9;
    private const int Swizzle128 = 3;
    private const int Promote256 = 3;

    /// <summary>Writes a descriptor to device memory.</summary>
    /// <param name="destination">Device address, a multiple of 64.</param>
    /// <param name="address">Device address of a contiguous tensor of 2-byte elements.</param>
    /// <param name="dimensions">Innermost first.</param>
    /// <param name="box">Innermost first; what one copy brings.</param>
    /// <param name="swizzles">Rows get the 128-byte swizzle; the KV cache has it already.</param>
    public static void Write(CudaDevice device, nint destination, nint address, bool fp16, ReadOnlySpan<ulong> dimensions, ReadOnlySpan<uint> box, bool swizzles = true)
    {
        byte* raw = stackalloc byte[Bytes + 64];
        byte* map = (byte*)(((nint)raw + 63) & ~(nint)63);
        Encode(map, address, fp16, dimensions, box, swizzles);
        Driver.CopyToDeviceAsync(destination, map, Bytes, device.Stream).Check();
        device.Synchronize();
    }

    /// <summary>Writes a descriptor of a contiguous tensor to host memory on 64 bytes, from where it can travel as a kernel argument.</summary>
    /// <param name="swizzles">As for <see cref="Write"/>.</param>
    public static void Encode(void* map, nint address, bool fp16, ReadOnlySpan<ulong> dimensions, ReadOnlySpan<uint> box, bool swizzles = true)
    {
        Span<ulong> strides = stackalloc ulong[dimensions.Length - 1];
        ulong bytes = 2;
        for (int i = 0; i < strides.Length; i++)
        {
            bytes *= dimensions[i];
            strides[i] = bytes;
        }

        Encode(map, address, fp16, dimensions, strides, box, swizzles);
    }

    /// <summary>The same for a view whose elements are contiguous in the innermost dimension alone.</summary>
    /// <param name="strides">Bytes from one element to the next of every dimension but the innermost; multiples of 16.</param>
    /// <param name="swizzles">As for <see cref="Write"/>.</param>
    public static void Encode(void* map, nint address, bool fp16, ReadOnlySpan<ulong> dimensions, ReadOnlySpan<ulong> strides, ReadOnlySpan<uint> box, bool swizzles = true)
    {
        int rank = dimensions.Length;
        uint* ones = stackalloc uint[rank];
        new Span<uint>(ones, rank).Fill(1);
        fixed (ulong* d = dimensions, s = strides)
        fixed (uint* b = box)
        {
            Driver.TensorMapEncodeTiled(map, fp16 ? TypeFp16 : TypeBf16, (uint)rank, (void*)address, d, s, b, ones, 0, swizzles ? Swizzle128 : 0, Promote256, 0).Check();
        }
    }
}
