using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.GpuTests.Kernels;

/// <summary>A norm whose weight the GPU multiplies into the matrix that reads it, against norm and product one after the other on the CPU.</summary>
/// <remarks>
/// The GPU rounds the matrix times the weight to bfloat16 and leaves the normed input unrounded; the CPU keeps both in float32. Either is 2⁻⁹ of an
/// element at most, some 1.2e-3 of a sum in the mean square, and the product's result is rounded twice: 1e-2. A weight left out or taken twice is off by 0.3.
/// </remarks>
public sealed class FoldedNormTests
{
    private const int Hidden = 520;
    private const int Inner = 264;
    private const double Tolerance = 1e-2;

    [Theory]
    [InlineData(0f, false, false, Activation.Silu)]
    [InlineData(1f, true, false, Activation.Silu)]
    [InlineData(0f, false, true, Activation.GeluTanh)]
    [InlineData(0f, true, true, Activation.Relu)]
    internal void Products_of_a_norm(float offset, bool bias, bool headNorms, Activation activation)
    {
        Gpu.Require();
        const int HeadDim = 64, Heads = 4, BlockSize = 16;
        AttentionLayout attention = new(Heads, 2, HeadDim);
        // Steps of one row, few, more than any kernel norms for itself, and enough for the product with its activation in passing.
        RaggedSteps steps = new([.. Enumerable.Repeat(30, 8).Append(400)], BlockSize, seed: 9);
        Dictionary<IBackend, Loaded> loaded = [];
        using DummyWeights matrices = new(ElementType.Bf16);
        using BackendPair pair = new(attention, Hidden, Inner, steps, BlockSize, change: config => config with { Activation = activation }, prepare: backend => loaded[backend] = new Loaded(backend, matrices, attention, offset, bias));
        BackendPair.Twin table = pair.Table(steps.Tokens, Hidden, 3), hidden = pair.Allocate(steps.Tokens, Hidden), normed = pair.Allocate(steps.Tokens, Hidden);
        BackendPair.Twin qkv = pair.Allocate(steps.Tokens, attention.QkvColumns), attended = pair.Allocate(steps.Tokens, Heads * HeadDim);
        BackendPair.Twin gateUp = pair.Allocate(steps.Tokens, 2 * Inner), activated = pair.Allocate(steps.Tokens, Inner), queryNorm = pair.Vector(HeadDim), keyNorm = pair.Vector(HeadDim);
        int[] most = [1, 2, 3, 12, 20, 40, 300];
        for (int step = 0; steps.Next(most[step % most.Length], sequences: step % most.Length == 6 ? 9 : 1 + (step % 3)); step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                Loaded weights = loaded[backend];
                backend.Embed(steps.Batch, tensor(table), 1, tensor(hidden));
                backend.RmsNorm(steps.Batch, tensor(hidden), weights.FirstNorm, 1e-5f, tensor(normed));
                backend.Linear(steps.Batch, tensor(normed), weights.Qkv, tensor(qkv));
                backend.RopeAndStoreKv(steps.Batch, 0, tensor(qkv), headNorms ? new HeadNorms(tensor(queryNorm), tensor(keyNorm), 1e-6f) : null);
                backend.PagedAttention(steps.Batch, 0, tensor(qkv), new AttentionSettings { Scale = 0.125f }, tensor(attended));
                backend.RmsNorm(steps.Batch, tensor(hidden), weights.SecondNorm, 1e-5f, tensor(normed));
                backend.Linear(steps.Batch, tensor(normed), weights.GateUp, tensor(gateUp));
                backend.GatedActivation(steps.Batch, tensor(gateUp), activation, tensor(activated));
            });
            int rows = steps.Batch.TokenCount;
            pair.AssertClose(qkv, rows, Heads * HeadDim, HeadDim, Tolerance, $"queries of {rows} rows");
            pair.AssertClose(attended, rows, Heads * HeadDim, HeadDim, 3e-2, $"attention of {rows} rows");
            pair.AssertClose(activated, rows, Inner, Inner, Tolerance, $"gate and up of {rows} rows");
        }

        foreach (Loaded weights in loaded.Values)
        {
            weights.Dispose();
        }
    }

    /// <summary>A product that nothing finishes: the norm is computed after all.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_product_that_is_read_as_it_is(bool bias)
    {
        Gpu.Require();
        AttentionLayout attention = new(4, 2, 64);
        RaggedSteps steps = new([40, 2, 50], 16, seed: 4);
        Dictionary<IBackend, Loaded> loaded = [];
        using DummyWeights matrices = new(ElementType.Bf16);
        using BackendPair pair = new(attention, Hidden, Inner, steps, 16, prepare: backend => loaded[backend] = new Loaded(backend, matrices, attention, 0, bias));
        BackendPair.Twin table = pair.Table(steps.Tokens, Hidden, 3), hidden = pair.Allocate(steps.Tokens, Hidden), normed = pair.Allocate(steps.Tokens, Hidden), qkv = pair.Allocate(steps.Tokens, attention.QkvColumns);
        for (int step = 0; steps.Next(step % 2 == 0 ? 40 : 2, sequences: 3); step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 1, tensor(hidden));
                backend.RmsNorm(steps.Batch, tensor(hidden), loaded[backend].FirstNorm, 1e-5f, tensor(normed));
                backend.Linear(steps.Batch, tensor(normed), loaded[backend].Qkv, tensor(qkv));
            });
            pair.AssertClose(qkv, steps.Batch.TokenCount, attention.QkvColumns, 64, Tolerance, $"{steps.Batch.TokenCount} rows");
        }

        foreach (Loaded weights in loaded.Values)
        {
            weights.Dispose();
        }
    }

    /// <summary>The weights of a layer that read norms, on one device.</summary>
    private sealed unsafe class Loaded : IDisposable
    {
        public Loaded(IBackend backend, DummyWeights matrices, AttentionLayout attention, float offset, bool bias)
        {
            WeightReader reader = new(matrices, 0, false, false, null);
            FirstNorm = Norm(backend, 1, offset);
            SecondNorm = Norm(backend, 2, offset);
            Qkv = backend.LoadLinear("qkv", [new LinearPart(new ExpectedTensor("qkv", attention.QkvColumns, Hidden), bias ? new ExpectedTensor("bias", 1, attention.QkvColumns) : null)], reader, FirstNorm);
            GateUp = backend.LoadLinear("gate_up", [new LinearPart(new ExpectedTensor("gate_up", 2 * Inner, Hidden), null)], reader, SecondNorm);
        }

        public DeviceTensor FirstNorm { get; }

        public DeviceTensor SecondNorm { get; }

        public LinearWeight Qkv { get; }

        public LinearWeight GateUp { get; }

        public void Dispose()
        {
            FirstNorm.Dispose();
            SecondNorm.Dispose();
            Qkv.Dispose();
            GateUp.Dispose();
        }

        private static DeviceTensor Norm(IBackend backend, int seed, float offset)
        {
            Random random = new(seed);
            ushort[] values = [.. Enumerable.Range(0, Hidden).Select(_ => (ushort)(BitConverter.SingleToUInt32Bits(0.5f + random.NextSingle() - offset) >> 16))];
            fixed (ushort* p = values)
            {
                return backend.LoadVector(new HostTensor("norm", ElementType.Bf16, 1, Hidden, (nint)p), offset);
            }
        }
    }
}
