using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Eight floats: AVX2 with FMA; elsewhere the runtime splits or emulates it.</summary>
internal readonly unsafe partial struct Simd256 : ISimd<Vector256<float>>
{
    public static int Lanes => 8;

    public static Vector256<float> Zero => Vector256<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBFloat16(ushort* source) => (Widen(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadFloat16(ushort* source) => WidenHalves(Widen(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadLowBFloat16(uint* source) => (Vector256.Load(source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadHighBFloat16(uint* source) => (Vector256.Load(source) & Vector256.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadLowFloat16(uint* source) => WidenHalves(Vector256.Load(source) & Vector256.Create(0xFFFFu));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadHighFloat16(uint* source) => WidenHalves(Vector256.Load(source) >> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadInt8(sbyte* source) => Vector256.ConvertToSingle(Widen(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadFloat8(byte* source)
    {
        // As in WidenHalves: exponent and mantissa move up by 20 bits, the bias grows by 120.
        var codes = Widen(source).AsUInt32();
        var sign = (codes & Vector256.Create(0x80u)) << 24;
        var shifted = (codes & Vector256.Create(0x7Fu)) << 20;
        var normal = shifted + Vector256.Create(120u << 23);
        var subnormal = ((shifted + Vector256.Create(121u << 23)).AsSingle() - Vector256.Create(121u << 23).AsSingle()).AsUInt32();
        var isSubnormal = Vector256.LessThan(shifted, Vector256.Create(1u << 23));
        return (Vector256.ConditionalSelect(isSubnormal, subnormal, normal) | sign).AsSingle();
    }

    /// <summary>Eight lanes hold the sizes; the sign is set apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Float4Table(Vector256<float> scale) => Vector256.Create(0f, 0.5f, 1, 1.5f, 2, 3, 4, 6) * scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadLowFloat4(byte* source, Vector256<float> table) => PickSigned(table, Widen(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadHighFloat4(byte* source, Vector256<float> table) => PickSigned(table, Widen(source) >>> 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> a) => Vector256.Exp(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> a) => Vector128.Sum(a.GetLower() + a.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector256<float> a)
    {
        var quarter = Vector128.Max(a.GetLower(), a.GetUpper());
        return MathF.Max(MathF.Max(quarter[0], quarter[1]), MathF.Max(quarter[2], quarter[3]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) =>
        TransposeSum(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());

    /// <summary>Lane i of the result is the sum of the i-th argument's lanes: (0 + 1) + (2 + 3).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> TransposeSum(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        var ab = PairSums(a, b);
        var cd = PairSums(c, d);
        return PairSums(ab, cd);
    }

    /// <summary>(a0 + a1, a2 + a3, b0 + b1, b2 + b3)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> PairSums(Vector128<float> a, Vector128<float> b)
    {
        if (Sse3.IsSupported)
        {
            return Sse3.HorizontalAdd(a, b);
        }

        return Vector128.Create(a[0] + a[1], a[2] + a[3], b[0] + b[1], b[2] + b[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> WidenHalves(Vector256<uint> half)
    {
        // As in Simd512.
        var sign = (half & Vector256.Create(0x8000u)) << 16;
        var shifted = (half & Vector256.Create(0x7FFFu)) << 13;
        var normal = shifted + Vector256.Create(112u << 23);
        var subnormal = ((shifted + Vector256.Create(113u << 23)).AsSingle() - Vector256.Create(113u << 23).AsSingle()).AsUInt32();
        var isSubnormal = Vector256.LessThan(shifted, Vector256.Create(1u << 23));
        return (Vector256.ConditionalSelect(isSubnormal, subnormal, normal) | sign).AsSingle();
    }

    /// <summary>Lane i is the table's lane that the lower three bits of index i name, negative where the fourth is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> PickSigned(Vector256<float> table, Vector256<int> index)
    {
        var size = Avx2.IsSupported ? Avx2.PermuteVar8x32(table, index) : Vector256.Shuffle(table, index & Vector256.Create(7));
        return (size.AsInt32() ^ ((index & Vector256.Create(8)) << 28)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Widen(ushort* source)
    {
        var narrow = Vector128.Load(source);
        return Vector256.WidenLower(narrow.ToVector256Unsafe());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(byte* source)
    {
        var eight = Vector128.CreateScalarUnsafe(*(ulong*)source).AsByte();
        return Avx2.IsSupported ? Avx2.ConvertToVector256Int32(eight) : Vector256.WidenLower(Vector128.WidenLower(eight).ToVector256Unsafe()).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(sbyte* source)
    {
        var eight = Vector128.CreateScalarUnsafe(*(ulong*)source).AsSByte();
        return Avx2.IsSupported ? Avx2.ConvertToVector256Int32(eight) : Vector256.WidenLower(Vector128.WidenLower(eight).ToVector256Unsafe());
    }
}
