using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Eight lanes of integers: AVX2; elsewhere products are made one by one, with the same sums.</summary>
internal readonly unsafe partial struct Simd256 : IIntegerSimd<Vector256<float>, Vector256<int>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LoadBits(byte* source) => Vector256.Load(source).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> BroadcastBits(int value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> And(Vector256<int> value, int mask) => value & Vector256.Create(mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Xor(Vector256<int> value, int mask) => value ^ Vector256.Create(mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ShiftRight(Vector256<int> value, int count) => value >>> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ShiftLeft(Vector256<int> value, int count) => value << count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> LowBytes(Vector256<int> value) => ((value.AsInt16() << 8) >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> HighBytes(Vector256<int> value) => (value.AsInt16() >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddIntegers(Vector256<int> a, Vector256<int> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddPairProducts(Vector256<int> sum, Vector256<int> a, Vector256<int> b) => sum + (Avx2.IsSupported
        ? Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16())
        : PairProducts(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> AddByteProducts(Vector256<int> sum, Vector256<int> a, Vector256<int> b) => (sum.AsInt16() + (Avx2.IsSupported
        ? Avx2.MultiplyAddAdjacent(a.AsByte(), b.AsSByte())
        : ByteProducts(a.AsInt16(), b.AsInt16()))).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToFloat(Vector256<int> value) => Vector256.ConvertToSingle(value);

    /// <summary>What pmaddwd gives, on any processor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<int> PairProducts(Vector256<int> a, Vector256<int> b) =>
        (((a << 16) >> 16) * ((b << 16) >> 16)) + ((a >> 16) * (b >> 16));

    /// <summary>What pmaddubsw gives, on any processor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<short> ByteProducts(Vector256<short> a, Vector256<short> b) =>
        ((a & Vector256.Create((short)255)) * ((b << 8) >> 8)) + ((a >>> 8) * (b >> 8));
}
