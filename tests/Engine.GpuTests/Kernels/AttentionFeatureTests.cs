using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.GpuTests.Kernels;

/// <summary>What architectures add to rotation and attention, on the GPU against the CPU backend; tolerances as <see cref="KernelParityTests"/> says.</summary>
public sealed class AttentionFeatureTests
{
    private const double Rounding = 4e-3;

    [Theory]
    [InlineData(128, 8, 2, 20f, false, null)]
    [InlineData(256, 4, 2, 20f, false, 40)]
    [InlineData(64, 8, 1, null, true, 33)]
    [InlineData(64, 4, 2, null, true, null)]
    [InlineData(128, 4, 1, 5f, true, null)]
    [InlineData(32, 4, 2, null, true, 17)]
    [InlineData(24, 2, 1, 5f, true, null)]
    public void Soft_caps_and_sinks(int headDim, int heads, int keyValueHeads, float? softCap, bool sinks, int? window)
    {
        Gpu.Require();
        AttentionLayout attention = new(heads, keyValueHeads, headDim);
        RaggedSteps steps = new([300, 1, 2, 129, 64, 65, 200, 128, 31], 16, seed: headDim + heads);
        using BackendPair pair = new(attention, 64, 64, steps, 16, window: window);
        // Scores of this size are well bent by the cap, and sinks between 0.5 and 1.5 take a good share of short contexts.
        BackendPair.Twin table = pair.Table(steps.Tokens, attention.QkvColumns, 2), qkv = pair.Allocate(steps.Tokens, attention.QkvColumns), output = pair.Allocate(steps.Tokens, heads * headDim);
        BackendPair.Twin sink = pair.Vector(heads);
        for (int step = 0; steps.Next(most: step % 2 == 0 ? 140 : 3, sequences: step % 3 == 2 ? 2 : 9); step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 1, tensor(qkv));
                backend.RopeAndStoreKv(steps.Batch, 0, tensor(qkv), norms: null);
                AttentionSettings settings = new() { Window = window, Scale = 1 / MathF.Sqrt(headDim), SoftCap = softCap, Sinks = sinks ? tensor(sink) : null };
                backend.PagedAttention(steps.Batch, 0, tensor(qkv), settings, tensor(output));
            });
            pair.AssertClose(output, steps.Batch.TokenCount, heads * headDim, headDim, 2e-2, $"attention of step {step}");
        }
    }

    [Theory]
    [InlineData(128, 8, 2, 1.0, true, 0.0)]
    [InlineData(64, 3, 1, 0.75, false, 0.0)]
    [InlineData(64, 4, 2, 0.5, true, 1.0)]
    [InlineData(16, 4, 2, 0.75, false, 0.0)]
    [InlineData(24, 2, 1, 0.75, true, 1.0)]
    [InlineData(96, 2, 2, 1.0, false, 0.0)]
    [InlineData(256, 4, 1, 1.0, true, 1.0)]
    public void Head_norms_and_heads_that_turn_in_part(int headDim, int heads, int keyValueHeads, double share, bool norms, float offset)
    {
        Gpu.Require();
        RopeConfig rope = new() { PartialFactor = share };
        Check(new AttentionLayout(heads, keyValueHeads, headDim), rope, norms, offset);
    }

    [Fact]
    public void Queries_scaled_by_position() =>
        Check(new AttentionLayout(4, 2, 64), new RopeConfig { OriginalMaxPositions = 50, QueryScalingBeta = 0.3 }, norms: false, 0);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Angles_that_depend_on_the_length(bool dynamic)
    {
        double[] divisors = [.. Enumerable.Range(0, 32).Select(i => 1 + (i * 0.1))];
        RopeConfig rope = dynamic
            ? new RopeConfig { Type = RopeType.Dynamic, Factor = 2 }
            : new RopeConfig { Type = RopeType.LongRope, Factor = 4, OriginalMaxPositions = 128, ShortFactors = divisors, LongFactors = [.. divisors.Select(d => d * 3)] };
        Check(new AttentionLayout(4, 2, 64), rope, norms: false, 0, maxPositions: dynamic ? 100 : 512);
    }

    private static void Check(AttentionLayout attention, RopeConfig rope, bool norms, float offset, int maxPositions = 512)
    {
        Gpu.Require();
        RaggedSteps steps = new([500, 3, 77, 1, 140], 16, seed: attention.HeadDim);
        using BackendPair pair = new(attention, 64, 64, steps, 16, change: config => config with { Rope = rope, LocalRope = rope, MaxPositions = maxPositions });
        BackendPair.Twin table = pair.Table(steps.Tokens, attention.QkvColumns), qkv = pair.Allocate(steps.Tokens, attention.QkvColumns);
        int queries = attention.HeadCount * attention.HeadDim;
        BackendPair.Twin output = pair.Allocate(steps.Tokens, queries), queryNorm = pair.Vector(attention.HeadDim, offset), keyNorm = pair.Vector(attention.HeadDim, offset);
        for (int step = 0; steps.Next(most: 200, sequences: step % 3 == 0 ? 1 : 4); step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 1, tensor(qkv));
                backend.RopeAndStoreKv(steps.Batch, 0, tensor(qkv), norms ? new HeadNorms(tensor(queryNorm), tensor(keyNorm), 1e-6f) : null);
                backend.PagedAttention(steps.Batch, 0, tensor(qkv), new AttentionSettings { Scale = 0.5f / MathF.Sqrt(attention.HeadDim) }, tensor(output));
            });
            pair.AssertClose(qkv, steps.Batch.TokenCount, queries, attention.HeadDim, Rounding, $"queries of step {step}");
            pair.AssertClose(output, steps.Batch.TokenCount, queries, attention.HeadDim, 2e-2, $"attention of step {step}");
        }
    }
}
