using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Sixteen lanes of integers: AVX-512BW.</summary>
internal readonly unsafe partial struct Simd512 : IIntegerSimd<Vector512<float>, Vector512<int>>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> LoadBits(byte* source) => Vector512.Load(source).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> BroadcastBits(int value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> And(Vector512<int> value, int mask) => value & Vector512.Create(mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Xor(Vector512<int> value, int mask) => value ^ Vector512.Create(mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ShiftRight(Vector512<int> value, int count) => value >>> count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ShiftLeft(Vector512<int> value, int count) => value << count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> LowBytes(Vector512<int> value) => ((value.AsInt16() << 8) >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> HighBytes(Vector512<int> value) => (value.AsInt16() >> 8).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddIntegers(Vector512<int> a, Vector512<int> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddPairProducts(Vector512<int> sum, Vector512<int> a, Vector512<int> b) => sum + (Avx512BW.IsSupported
        ? Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16())
        : PairProducts(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> AddByteProducts(Vector512<int> sum, Vector512<int> a, Vector512<int> b) => (sum.AsInt16() + (Avx512BW.IsSupported
        ? Avx512BW.MultiplyAddAdjacent(a.AsByte(), b.AsSByte())
        : ByteProducts(a.AsInt16(), b.AsInt16()))).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ToFloat(Vector512<int> value) => Vector512.ConvertToSingle(value);

    /// <summary>What pmaddwd gives, on any processor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<int> PairProducts(Vector512<int> a, Vector512<int> b) =>
        (((a << 16) >> 16) * ((b << 16) >> 16)) + ((a >> 16) * (b >> 16));

    /// <summary>What pmaddubsw gives, on any processor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<short> ByteProducts(Vector512<short> a, Vector512<short> b) =>
        ((a & Vector512.Create((short)255)) * ((b << 8) >> 8)) + ((a >>> 8) * (b >> 8));
}
