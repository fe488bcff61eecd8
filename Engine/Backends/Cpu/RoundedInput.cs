using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Activation rows rounded to 16 or 20 bits: each unit of 32 inputs of a row has a scale, the unit's largest number over the largest integer.</summary>
/// <remarks>A row is its integers' 16 high bits; of 20 bits then the low part, −8 to 7, a byte each, the second and third of four changed
/// places; then <see cref="UnitFactors"/>. Rounding moves a number by at most 2⁻¹⁶ or 2⁻²⁰ of its unit's largest. A unit that holds
/// NaN or an infinity gets the scale NaN, and so do all results of the row.
/// Sums over a unit fit: 32 products of 16 bits with codes of 8 are at most 32 × 128 × 32,767 = 1.3 × 10⁸, times 16 with the low parts
/// 2,147,483,392 of 2³¹; the low parts alone, four by four in two lanes of 16 bits, 8 × 2 × 8 × 255 = 32,640 of 2¹⁵.</remarks>
internal readonly unsafe struct RoundedInput(byte* data, int rows, int inputs, bool isPrecise)
{
    /// <summary>Inputs that share a scale.</summary>
    public const int UnitInputs = QuantizedWeights.UnitInputs;

    /// <summary>Bits of a low part.</summary>
    public const int LowBits = 4;

    /// <summary>2⁻¹⁰⁰: numbers of smaller units are rounded to multiples of 2⁻¹¹⁵ or less, as the reciprocal of their scale would be infinite.</summary>
    private const float SmallestRange = 7.888609e-31f;

    private const int AlignmentBytes = 64;

    public int Rows => rows;

    /// <summary>There are low parts.</summary>
    public bool IsPrecise => isPrecise;

    public nint RowBytes { get; } = RowBytesOf(inputs);

    /// <summary>[inputs] 16 bits each.</summary>
    public byte* High(int row) => data + (row * RowBytes);

    /// <summary>[inputs] a byte each.</summary>
    public sbyte* Low(int row) => (sbyte*)High(row) + ((nint)inputs * sizeof(short));

    /// <summary>[units]</summary>
    public UnitFactors* Factors(int row) => (UnitFactors*)(Low(row) + inputs);

    /// <param name="inputs">A multiple of <see cref="UnitInputs"/>.</param>
    public static nint RowBytesOf(int inputs) =>
        (((nint)inputs * (sizeof(short) + sizeof(sbyte))) + (inputs / UnitInputs * sizeof(UnitFactors)) + AlignmentBytes - 1) / AlignmentBytes * AlignmentBytes;

    /// <param name="source">[inputs]</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Round(float* source, int row)
    {
        var high = (short*)High(row);
        var low = Low(row);
        var factors = Factors(row);
        float steps = isPrecise ? short.MaxValue << LowBits : short.MaxValue;
        for (var unit = 0; unit < inputs / UnitInputs; unit++)
        {
            var first = unit * UnitInputs;
            var (a, b, c, d) = (Vector256.Load(source + first), Vector256.Load(source + first + 8), Vector256.Load(source + first + 16), Vector256.Load(source + first + 24));

            // Sizes compare as integers, where NaN is larger than an infinity and that is larger than any number.
            var sizes = Vector256.Max(Vector256.Max(Size(a), Size(b)), Vector256.Max(Size(c), Size(d)));
            var half = Vector128.Max(sizes.GetLower(), sizes.GetUpper());
            half = Vector128.Max(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
            var largest = BitConverter.Int32BitsToSingle(Math.Max(half[0], half[1]));
            largest = float.IsFinite(largest) ? Math.Max(largest, SmallestRange) : float.NaN;
            var inverse = Vector256.Create(steps / largest);
            var (p, q, r, s) = (RoundToInt(a * inverse), RoundToInt(b * inverse), RoundToInt(c * inverse), RoundToInt(d * inverse));
            var sum = Vector256.Sum(p + q + r + s);
            var lowSum = 0;
            if (isPrecise)
            {
                var (ph, qh, rh, sh) = (HighOf(p), HighOf(q), HighOf(r), HighOf(s));
                var lows = (p - (ph << LowBits), q - (qh << LowBits), r - (rh << LowBits), s - (sh << LowBits));
                lowSum = Vector256.Sum(lows.Item1 + lows.Item2 + lows.Item3 + lows.Item4);
                var bytes = Vector256.Narrow(Vector256.Narrow(lows.Item1, lows.Item2), Vector256.Narrow(lows.Item3, lows.Item4));
                Vector256.Shuffle(bytes, Vector256.Create(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15, 16, 18, 17, 19, 20, 22, 21, 23, 24, 26, 25, 27, 28, 30, 29, (sbyte)31)).Store(low + first);
                (p, q, r, s) = (ph, qh, rh, sh);
            }

            Vector256.Narrow(p, q).Store(high + first);
            Vector256.Narrow(r, s).Store(high + first + 16);
            factors[unit] = new UnitFactors(largest / steps, -sum, -lowSum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Size(Vector256<float> value) => value.AsInt32() & Vector256.Create(int.MaxValue);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> RoundToInt(Vector256<float> value) => Vector256.ConvertToInt32Native(Vector256.Round(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> HighOf(Vector256<int> value) => (value + Vector256.Create(1 << (LowBits - 1))) >> LowBits;
}
