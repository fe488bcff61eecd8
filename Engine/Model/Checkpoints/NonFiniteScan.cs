using System.Runtime.Intrinsics;

namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>Finds NaN and infinity in stored weights, at the speed of memory.</summary>
internal static unsafe class NonFiniteScan
{
    /// <summary>Index of the first element that is NaN or infinite, or -1.</summary>
    /// <param name="data">First element, any alignment.</param>
    public static long FirstNonFinite(nint data, ElementType type, long count) => type switch
    {
        ElementType.Fp32 => Find((uint*)data, 0x7F80_0000u, count),
        ElementType.Fp16 => Find((ushort*)data, 0x7C00, count),
        _ => Find((ushort*)data, 0x7F80, count),
    };

    private static long Find(uint* data, uint exponent, long count)
    {
        // All exponent bits set means NaN or infinity in every IEEE format.
        long i = 0;
        var mask = Vector256.Create(exponent);
        for (; i + 32 <= count; i += 32)
        {
            var hit = Vector256.Equals(Vector256.Load(data + i) & mask, mask)
                | Vector256.Equals(Vector256.Load(data + i + 8) & mask, mask)
                | Vector256.Equals(Vector256.Load(data + i + 16) & mask, mask)
                | Vector256.Equals(Vector256.Load(data + i + 24) & mask, mask);
            if (hit != Vector256<uint>.Zero)
            {
                break;
            }
        }

        for (; i < count; i++)
        {
            if ((data[i] & exponent) == exponent)
            {
                return i;
            }
        }

        return -1;
    }

    private static long Find(ushort* data, ushort exponent, long count)
    {
        long i = 0;
        var mask = Vector256.Create(exponent);
        for (; i + 64 <= count; i += 64)
        {
            var hit = Vector256.Equals(Vector256.Load(data + i) & mask, mask)
                | Vector256.Equals(Vector256.Load(data + i + 16) & mask, mask)
                | Vector256.Equals(Vector256.Load(data + i + 32) & mask, mask)
                | Vector256.Equals(Vector256.Load(data + i + 48) & mask, mask);
            if (hit != Vector256<ushort>.Zero)
            {
                break;
            }
        }

        for (; i < count; i++)
        {
            if ((data[i] & exponent) == exponent)
            {
                return i;
            }
        }

        return -1;
    }
}
