using Fastgen.Engine.Sampling;

namespace Fastgen.Engine.UnitTests.Sampling;

public sealed class PhiloxGeneratorTests
{
    // Known answers of Random123's kat_vectors, philox4x32 with 10 rounds.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Words_are_those_of_the_reference(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint w0, uint w1, uint w2, uint w3) =>
        Assert.Equal((w0, w1, w2, w3), PhiloxGenerator.Words(c0, c1, c2, c3, k0, k1));

    [Fact]
    public void Uniform_numbers_fill_the_open_interval_evenly()
    {
        const int Count = 100_000;
        int[] bins = new int[100];
        for (int position = 0; position < Count; position++)
        {
            double u = PhiloxGenerator.Uniform(42, position);
            Assert.InRange(u, double.Epsilon, 1 - double.Epsilon);
            bins[(int)(u * 100)]++;
        }

        double expected = Count / 100.0;
        double chiSquare = bins.Sum(bin => (bin - expected) * (bin - expected) / expected);
        // 99 degrees of freedom: 99.99 % of even draws stay below 161.
        Assert.True(chiSquare < 161, $"chi-square {chiSquare}");
    }
}
