using System.Runtime.Intrinsics;
using Fastgen.Engine.Backends.Cpu;

namespace Fastgen.Engine.UnitTests.Backends.Cpu;

public sealed unsafe class ElementTests
{
    [Fact]
    public void Every_finite_half_widens_exactly()
    {
        var source = stackalloc ushort[16];
        var wide = stackalloc float[16];
        for (var start = 0; start < 0x10000; start += 16)
        {
            for (var i = 0; i < 16; i++)
            {
                source[i] = (ushort)(start + i);
            }

            Simd512.LoadFloat16(source).Store(wide);
            Check(source, wide, 16);
            Simd256.LoadFloat16(source).Store(wide);
            Check(source, wide, 8);
        }

        static void Check(ushort* source, float* wide, int count)
        {
            for (var i = 0; i < count; i++)
            {
                var expected = (float)BitConverter.UInt16BitsToHalf(source[i]);
                if (float.IsFinite(expected))
                {
                    Assert.Equal(BitConverter.SingleToUInt32Bits(expected), BitConverter.SingleToUInt32Bits(wide[i]));
                }
            }
        }
    }

    [Fact]
    public void Every_finite_e4m3_widens_exactly()
    {
        var source = stackalloc byte[16];
        var wide = stackalloc float[16];
        for (var start = 0; start < 0x100; start += 16)
        {
            for (var i = 0; i < 16; i++)
            {
                source[i] = (byte)(start + i);
            }

            Simd512.LoadFloat8(source).Store(wide);
            Check(source, wide, 16);
            Simd256.LoadFloat8(source).Store(wide);
            Check(source, wide, 8);
        }

        static void Check(byte* source, float* wide, int count)
        {
            for (var i = 0; i < count; i++)
            {
                var (exponent, mantissa) = ((source[i] >> 3) & 15, source[i] & 7);
                var size = exponent == 0 ? mantissa * Math.Pow(2, -9) : (8 + mantissa) * Math.Pow(2, exponent - 10);
                if ((source[i] & 0x7F) != 0x7F)
                {
                    Assert.Equal(BitConverter.SingleToUInt32Bits((float)(source[i] < 128 ? size : -size)), BitConverter.SingleToUInt32Bits(wide[i]));
                }
            }
        }
    }

    [Fact]
    public void Bytes_widen_in_either_width()
    {
        var source = stackalloc sbyte[16];
        var wide = stackalloc float[16];
        for (var i = 0; i < 16; i++)
        {
            source[i] = (sbyte)((i * 37) + 11);
        }

        Simd512.LoadInt8(source).Store(wide);
        Check(16);
        new Span<float>(wide, 16).Clear();
        Simd256.LoadInt8(source).Store(wide);
        Check(8);

        void Check(int count)
        {
            for (var i = 0; i < count; i++)
            {
                Assert.Equal(source[i], wide[i]);
            }
        }
    }

    [Fact]
    public void Every_e2m1_widens_in_either_width()
    {
        var source = stackalloc byte[16];
        var wide = stackalloc float[16];
        foreach (var scale in (float[])[1, MathF.ScaleB(1, -126), MathF.ScaleB(1, 120)])
        {
            for (var start = 0; start < 0x100; start += 16)
            {
                for (var i = 0; i < 16; i++)
                {
                    source[i] = (byte)(start + i);
                }

                var table512 = Simd512.Float4Table(Simd512.Broadcast(scale));
                Simd512.LoadLowFloat4(source, table512).Store(wide);
                Check(source, wide, 16, 0, scale);
                Simd512.LoadHighFloat4(source, table512).Store(wide);
                Check(source, wide, 16, 4, scale);
                var table256 = Simd256.Float4Table(Simd256.Broadcast(scale));
                Simd256.LoadLowFloat4(source + 8, table256).Store(wide);
                Check(source + 8, wide, 8, 0, scale);
                Simd256.LoadHighFloat4(source + 8, table256).Store(wide);
                Check(source + 8, wide, 8, 4, scale);
            }
        }

        static void Check(byte* source, float* wide, int count, int shift, float scale)
        {
            for (var i = 0; i < count; i++)
            {
                // Two bits of exponent with the bias 1, one of mantissa.
                var code = (source[i] >> shift) & 15;
                var (exponent, mantissa) = ((code >> 1) & 3, code & 1);
                var size = exponent == 0 ? mantissa * 0.5 : (2 + mantissa) * Math.Pow(2, exponent - 2);
                Assert.Equal(BitConverter.SingleToUInt32Bits((float)((code < 8 ? size : -size) * scale)), BitConverter.SingleToUInt32Bits(wide[i]));
            }
        }
    }

    [Fact]
    public void Nibbles_bytes_and_pairs_become_integers_in_either_width()
    {
        var source = stackalloc byte[64];
        new Random(5).NextBytes(new Span<byte>(source, 64));
        var other = stackalloc short[32];
        for (var i = 0; i < 32; i++)
        {
            other[i] = (short)((i * 2053) - short.MaxValue);
        }

        var lows = stackalloc byte[64];
        for (var i = 0; i < 64; i++)
        {
            lows[i] = (byte)((i * 7 % 16) - 8);
        }

        Check<Simd512, Vector512<float>, Vector512<int>>(source, (byte*)other, lows, 16);
        Check<Simd256, Vector256<float>, Vector256<int>>(source, (byte*)other, lows, 8);

        // What processors without these instructions do.
        var (a, b, c) = (Vector512.Load((int*)source), Vector512.Load((int*)other), Vector512.Load((short*)lows));
        Assert.Equal(Simd512.AddPairProducts(default, a, b), Simd512.PairProducts(a, b));
        Assert.Equal(Simd256.AddPairProducts(default, a.GetLower(), b.GetLower()), Simd256.PairProducts(a.GetLower(), b.GetLower()));
        Assert.Equal(Simd512.AddByteProducts(default, a, c.AsInt32()).AsInt16(), Simd512.ByteProducts(a.AsInt16(), c));
        Assert.Equal(Simd256.AddByteProducts(default, a.GetLower(), c.GetLower().AsInt32()).AsInt16(), Simd256.ByteProducts(a.GetLower().AsInt16(), c.GetLower()));
    }

    [Fact]
    public void Every_bfloat16_widens_to_its_upper_half()
    {
        var source = stackalloc ushort[16];
        var wide = stackalloc uint[16];
        for (var start = 0; start < 0x10000; start += 16)
        {
            for (var i = 0; i < 16; i++)
            {
                source[i] = (ushort)(start + i);
            }

            Simd512.LoadBFloat16(source).AsUInt32().Store(wide);
            for (var i = 0; i < 16; i++)
            {
                Assert.Equal((uint)(start + i) << 16, wide[i]);
            }

            Simd256.LoadBFloat16(source + 8).AsUInt32().Store(wide);
            for (var i = 0; i < 8; i++)
            {
                Assert.Equal((uint)(start + 8 + i) << 16, wide[i]);
            }
        }
    }

    [Theory]
    [InlineData(1.0f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)] // half way: to even
    [InlineData(1.01171875f, 0x3F82)] // half way: to even
    [InlineData(-2.71828f, 0xC02E)]
    [InlineData(float.PositiveInfinity, 0x7F80)]
    [InlineData(3.4e38f, 0x7F80)]
    public void Storing_a_bfloat16_rounds_to_nearest_even(float value, int expected)
    {
        ushort stored;
        BFloat16Element.StoreOne(value, (byte*)&stored);
        Assert.Equal(expected, stored);
    }

    [Fact]
    public void Storing_NaN_as_bfloat16_stays_NaN()
    {
        ushort stored;
        BFloat16Element.StoreOne(BitConverter.UInt32BitsToSingle(0x7F800001), (byte*)&stored);
        Assert.True(float.IsNaN(BFloat16Element.LoadOne((byte*)&stored)));
    }

    [Theory]
    [InlineData(1e30f, 65504f)]
    [InlineData(float.NegativeInfinity, -65504f)]
    [InlineData(0.1f, 0.099975586f)]
    public void Storing_a_half_clamps(float value, float expected)
    {
        ushort stored;
        Float16Element.StoreOne(value, (byte*)&stored);
        Assert.Equal(expected, Float16Element.LoadOne((byte*)&stored));
    }

    private static void Check<TSimd, TVector, TInteger>(byte* source, byte* other, byte* lows, int lanes)
        where TSimd : struct, IIntegerSimd<TVector, TInteger>
        where TVector : struct
        where TInteger : struct
    {
        var words = stackalloc short[32];
        for (var pair = 0; pair < 4; pair++)
        {
            // Pairs of inputs lie where the layout's own formula puts their codes.
            Copy<TInteger>(Int4Element.Pair<TSimd, TVector, TInteger>(TSimd.LoadBits(source), pair), words);
            for (var i = 0; i < 2 * lanes; i++)
            {
                Assert.Equal((int)(((uint*)source)[i / 2] >> QuantizedWeights.CodeShift((2 * pair) + (i % 2))) & 15, words[i]);
            }

            Copy<TInteger>(Int8Element.Pair<TSimd, TVector, TInteger>(TSimd.LoadBits(source), pair % 2), words);
            for (var i = 0; i < 2 * lanes; i++)
            {
                Assert.Equal((sbyte)(((uint*)source)[i / 2] >> QuantizedWeights.CodeShift((2 * (pair % 2)) + (i % 2))), words[i]);
            }
        }

        int[] order = [0, 2, 1, 3];
        for (var four = 0; four < 2; four++)
        {
            Copy<TInteger>(Int4Element.Four<TSimd, TVector, TInteger>(TSimd.LoadBits(source), four), words);
            for (var i = 0; i < 4 * lanes; i++)
            {
                Assert.Equal((int)(((uint*)source)[i / 4] >> QuantizedWeights.CodeShift((4 * four) + order[i % 4])) & 15, ((byte*)words)[i]);
            }
        }

        Copy<TInteger>(Int8Element.Four<TSimd, TVector, TInteger>(TSimd.LoadBits(source), 0), words);
        for (var i = 0; i < 4 * lanes; i++)
        {
            Assert.Equal((sbyte)(((uint*)source)[i / 4] >> QuantizedWeights.CodeShift(order[i % 4])) + 128, ((byte*)words)[i]);
        }

        var floats = stackalloc float[16];
        var start = TSimd.BroadcastBits(1234567);
        var sum = TSimd.AddPairProducts(start, TSimd.LoadBits(source), TSimd.LoadBits(other));
        Copy<TInteger>(sum, words);
        TSimd.Store(TSimd.ToFloat(sum), floats);
        for (var i = 0; i < lanes; i++)
        {
            var a = (short*)source + (2 * i);
            var b = (short*)other + (2 * i);
            var expected = 1234567 + (a[0] * b[0]) + (a[1] * b[1]);
            Assert.Equal(expected, ((int*)words)[i]);
            Assert.Equal((float)expected, floats[i]);
        }

        // Signed bytes between -8 and 7, as low parts are.
        Copy<TInteger>(TSimd.AddByteProducts(TSimd.BroadcastBits(0x00050005), TSimd.LoadBits(source), TSimd.LoadBits(lows)), words);
        for (var i = 0; i < 2 * lanes; i++)
        {
            Assert.Equal(5 + (source[2 * i] * (sbyte)lows[2 * i]) + (source[(2 * i) + 1] * (sbyte)lows[(2 * i) + 1]), words[i]);
        }
    }

    private static void Copy<TInteger>(TInteger value, short* destination)
        where TInteger : struct => System.Runtime.CompilerServices.Unsafe.WriteUnaligned(destination, value);
}
