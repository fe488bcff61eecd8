using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.UnitTests.Model.Checkpoints;

public sealed unsafe class DummyWeightsTests
{
    [Fact]
    public void They_are_the_same_each_time_and_of_the_right_scale()
    {
        using var weights = new DummyWeights(ElementType.Fp32);
        var first = Read(weights, "matrix", 64, 256);
        Assert.Equal(first, Read(weights, "matrix", 64, 256));
        Assert.NotEqual(first, Read(weights, "other", 64, 256));
        Assert.Equal(0, first.Average(), 0.002f);
        Assert.Equal(1.0 / 256, first.Average(value => (double)value * value), 0.0002);
        Assert.All(Read(weights, "layers.0.norm.weight", 1, 16), value => Assert.Equal(1, value));
    }

    [Theory]
    [InlineData(ElementType.Fp16)]
    [InlineData(ElementType.Bf16)]
    internal void Narrow_types_hold_the_same_values_rounded(ElementType type)
    {
        using var narrow = new DummyWeights(type);
        using var wide = new DummyWeights(ElementType.Fp32);
        var expected = Read(wide, "matrix", 3, 32);
        var tensor = narrow.Read(new ExpectedTensor("matrix", 3, 32));
        for (var i = 0; i < expected.Length; i++)
        {
            var actual = type == ElementType.Fp16 ? (float)((Half*)tensor.Data)[i] : BitConverter.UInt32BitsToSingle((uint)((ushort*)tensor.Data)[i] << 16);
            Assert.Equal(expected[i], actual, Math.Abs(expected[i]) / 128);
        }
    }

    private static float[] Read(DummyWeights weights, string name, int rows, int columns) =>
        new ReadOnlySpan<float>((void*)weights.Read(new ExpectedTensor(name, rows, columns)).Data, rows * columns).ToArray();
}
