using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints;

public sealed unsafe class NonFiniteScanTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(64)]
    [InlineData(200)]
    public void Every_place_is_seen(int count)
    {
        var single = new float[count];
        var half = new Half[count];
        var bfloat = new ushort[count];
        Array.Fill(single, float.MaxValue);
        Array.Fill(half, Half.MaxValue);
        Array.Fill(bfloat, (ushort)0xFF7F);
        fixed (void* s = single, h = half, b = bfloat)
        {
            Assert.Equal(-1, NonFiniteScan.FirstNonFinite((nint)s, ElementType.Fp32, count));
            Assert.Equal(-1, NonFiniteScan.FirstNonFinite((nint)h, ElementType.Fp16, count));
            Assert.Equal(-1, NonFiniteScan.FirstNonFinite((nint)b, ElementType.Bf16, count));
            for (var i = count - 1; i >= 0; i--)
            {
                single[i] = i % 2 == 0 ? float.NaN : float.NegativeInfinity;
                half[i] = i % 2 == 0 ? Half.NaN : Half.PositiveInfinity;
                bfloat[i] = (ushort)(i % 2 == 0 ? 0x7FC0 : 0xFF80);
                Assert.Equal(i, NonFiniteScan.FirstNonFinite((nint)s, ElementType.Fp32, count));
                Assert.Equal(i, NonFiniteScan.FirstNonFinite((nint)h, ElementType.Fp16, count));
                Assert.Equal(i, NonFiniteScan.FirstNonFinite((nint)b, ElementType.Bf16, count));
            }
        }
    }
}
