using Fastgen.Engine.Backends.Cuda;

namespace Fastgen.Engine.GpuTests;

/// <summary>How <see cref="StationaryMatmul"/> divides inputs; needs no GPU.</summary>
public sealed class StationaryLayoutTests
{
    private const int Warps = 16;

    // What a block may have on Hopper, less what the kernel has of its own.
    private const int MostSharedBytes = (227 * 1024) - 4096;

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(32)]
    public void Every_input_belongs_to_a_warp(int rows)
    {
        for (int inputs = 8; inputs <= 16384; inputs += 8)
        {
            StationaryMatmul.Layout layout = StationaryMatmul.Layout.For(rows, inputs) ?? throw new InvalidOperationException($"{inputs} inputs are refused.");
            int chunk = layout.Octets == 1 ? 64 : 32, loads = layout.Octets == 1 ? 2 * layout.Chunks : layout.Chunks;
            Assert.InRange(rows, 1, 8 * layout.Octets);
            Assert.InRange(inputs, 1, layout.Chunks * chunk * Warps * layout.Cluster);
            // Half as many CTAs could not hold them.
            Assert.True(layout.Cluster == 1 || 2 * layout.Chunks > (layout.Octets == 4 ? 4 : 8), $"{inputs}: {layout}");
            Assert.True(loads % layout.Depth == 0 || layout.Depth % loads == 0, $"{inputs}: {layout}");
            Assert.InRange(layout.SharedChunks, 0, layout.Chunks - 1);
            Assert.InRange(layout.SharedBytes, 1, MostSharedBytes);
        }
    }

    [Fact]
    public void More_inputs_than_eight_multiprocessors_hold_are_refused()
    {
        Assert.NotNull(StationaryMatmul.Layout.For(8, 65536));
        Assert.Null(StationaryMatmul.Layout.For(8, 65544));
        Assert.NotNull(StationaryMatmul.Layout.For(16, 32768));
        Assert.Null(StationaryMatmul.Layout.For(16, 32776));
        Assert.NotNull(StationaryMatmul.Layout.For(32, 16384));
        Assert.Null(StationaryMatmul.Layout.For(32, 16392));
    }
}
