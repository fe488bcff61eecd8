using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;
using Fastgen.Engine.Model.Checkpoints;

namespace Fastgen.Engine.GpuTests.Kernels;

/// <summary>Latent attention on the GPU against the CPU backend, on random ragged batches.</summary>
/// <remarks>As in <see cref="KernelParityTests"/>, with two roundings more of a query, and of a sum, on their way through the projections: 3e-2 for a head.</remarks>
public sealed class LatentParityTests
{
    [Theory]
    [InlineData(4, 16, 8, 32, 24, true, 16)]
    [InlineData(16, 128, 64, 512, 128, true, 64)]
    [InlineData(40, 64, 32, 256, 64, false, 32)]
    [InlineData(128, 32, 16, 72, 32, true, 16)]
    [InlineData(3, 8, 16, 8, 8, true, 128)]
    [InlineData(4, 16, 8, 24, 14, false, 16)]
    public void Latent_attention_of_prompts_chunks_and_decodes(int heads, int content, int rope, int latent, int value, bool interleaved, int blockSize)
    {
        Gpu.Require();
        LatentLayout layout = new(heads, content, rope, latent, value, interleaved);
        RaggedSteps steps = new([150, 1, 2, 65, 90, 31], blockSize, seed: heads + latent);
        LatentWeights[] weights = new LatentWeights[2];
        using BackendPair pair = new(new AttentionLayout(heads, 1, layout.CachedDim), 64, 64, steps, blockSize,
            change: config => config with { Latent = new LatentConfig(layout, null), HeadDim = rope, KeyValueHeadCount = heads },
            prepare: backend =>
            {
                LatentWeights loaded = Load(backend, layout);
                backend.PrepareLatent(loaded);
                weights[backend.Name.Contains("CUDA", StringComparison.Ordinal) ? 1 : 0] = loaded;
            });
        int columns = heads * layout.QueryDim;
        BackendPair.Twin queries = pair.Table(steps.Tokens, columns, 2), vectors = pair.Table(steps.Tokens, layout.CachedDim, 2);
        BackendPair.Twin query = pair.Allocate(steps.Tokens, columns), compressed = pair.Allocate(steps.Tokens, layout.CachedDim), output = pair.Allocate(steps.Tokens, heads * value);
        for (int step = 0; steps.Next(most: step % 2 == 0 ? 70 : 3, sequences: step % 3 == 2 ? 2 : 6); step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                LatentWeights own = weights[ReferenceEquals(backend, pair.Cuda) ? 1 : 0];
                backend.Embed(steps.Batch, tensor(queries), 1, tensor(query));
                backend.Embed(steps.Batch, tensor(vectors), 1, tensor(compressed));
                backend.RopeAndStoreLatent(steps.Batch, 0, tensor(query), tensor(compressed), own);
                backend.LatentAttention(steps.Batch, 0, tensor(query), own, 1 / MathF.Sqrt(layout.QueryDim), tensor(output));
            });
            pair.AssertClose(query, steps.Batch.TokenCount, columns, layout.QueryDim, 4e-3, $"queries of step {step}");
            pair.AssertClose(output, steps.Batch.TokenCount, heads * value, value, 3e-2, $"attention of step {step}");
        }

        weights[0].Dispose();
        weights[1].Dispose();
    }

    private static LatentWeights Load(IBackend backend, LatentLayout layout)
    {
        using DummyWeights dummy = new(ElementType.Bf16);
        WeightReader reader = new(dummy, 0, false, false, null);
        return new LatentWeights
        {
            Norm = backend.LoadVector(reader.Read(new ExpectedTensor("norm", 1, layout.LatentDim)), 0),
            NormEpsilon = LatentConfig.NormEpsilon,
            KeyProjections = [.. Enumerable.Range(0, layout.HeadCount).Select(h => Linear($"key.{h}", layout.LatentDim, layout.ContentDim))],
            ValueProjections = [.. Enumerable.Range(0, layout.HeadCount).Select(h => Linear($"value.{h}", layout.ValueDim, layout.LatentDim))],
        };

        LinearWeight Linear(string name, int outputs, int inputs) => backend.LoadLinear(name, [new LinearPart(new ExpectedTensor(name, outputs, inputs), null)], reader);
    }
}
