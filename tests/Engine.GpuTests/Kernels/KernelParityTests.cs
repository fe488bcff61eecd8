using Fastgen.Engine.Backends;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.GpuTests.Kernels;

/// <summary>Every operation of the forward pass on the GPU against the CPU backend, on random ragged batches.</summary>
/// <remarks>
/// Inputs are exact in bfloat16, so a difference comes from rounding results (2⁻⁹ relative at most, 1.1e-3 in the mean square) and what
/// the GPU keeps in bfloat16 between operations. Elementwise: 4e-3. Attention also rounds rotated queries and keys and the softmax's
/// weights: each moves a score by some 2e-3, hence 2e-2 per head; a key too many or too few moves it by more in contexts this short.
/// </remarks>
public sealed class KernelParityTests
{
    private const double Rounding = 4e-3;

    [Theory]
    [InlineData(128, 8, 2, 64, null)]
    [InlineData(128, 8, 2, 16, 50)]
    [InlineData(128, 5, 1, 32, null)]
    [InlineData(128, 16, 1, 64, 33)]
    [InlineData(64, 4, 4, 64, 17)]
    [InlineData(64, 6, 2, 128, null)]
    [InlineData(96, 4, 2, 16, null)]
    [InlineData(96, 3, 1, 32, 40)]
    [InlineData(256, 4, 2, 64, null)]
    [InlineData(256, 2, 1, 16, 70)]
    [InlineData(192, 4, 1, 32, null)]
    [InlineData(24, 4, 2, 16, null)]
    [InlineData(120, 4, 1, 32, 40)]
    [InlineData(16, 3, 1, 16, null)]
    public void Attention_of_prompts_chunks_and_decodes(int headDim, int heads, int keyValueHeads, int blockSize, int? window)
    {
        Gpu.Require();
        AttentionLayout attention = new(heads, keyValueHeads, headDim);
        RaggedSteps steps = new([300, 1, 2, 129, 64, 65, 200, 128, 31], blockSize, seed: headDim + heads);
        using BackendPair pair = new(attention, 64, 64, steps, blockSize, window: window);
        BackendPair.Twin table = pair.Table(steps.Tokens, attention.QkvColumns, 2), qkv = pair.Allocate(steps.Tokens, attention.QkvColumns), output = pair.Allocate(steps.Tokens, heads * headDim);
        for (int step = 0; steps.Next(most: step % 2 == 0 ? 140 : 3, sequences: step % 3 == 2 ? 2 : 9); step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 1, tensor(qkv));
                backend.RopeAndStoreKv(steps.Batch, 0, tensor(qkv), norms: null);
                backend.PagedAttention(steps.Batch, 0, tensor(qkv), new AttentionSettings { Window = window, Scale = 1 / MathF.Sqrt(headDim) }, tensor(output));
            });
            pair.AssertClose(qkv, steps.Batch.TokenCount, heads * headDim, headDim, Rounding, $"rotated queries of step {step}");
            pair.AssertClose(output, steps.Batch.TokenCount, heads * headDim, headDim, 2e-2, $"attention of step {step}");
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("""{"type": "linear", "factor": 4.0}""")]
    [InlineData("""{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}""")]
    [InlineData("""{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128}""")]
    public void Rotation_of_every_supported_kind(string? rope)
    {
        Gpu.Require();
        AttentionLayout attention = new(4, 2, 64);
        RaggedSteps steps = new([500, 3, 77], 16, seed: 3);
        using BackendPair pair = new(attention, 64, 64, steps, 16, rope);
        BackendPair.Twin table = pair.Table(steps.Tokens, attention.QkvColumns), qkv = pair.Allocate(steps.Tokens, attention.QkvColumns), output = pair.Allocate(steps.Tokens, 256);
        while (steps.Next(most: 200, sequences: 3))
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 1, tensor(qkv));
                backend.RopeAndStoreKv(steps.Batch, 0, tensor(qkv), norms: null);
                backend.PagedAttention(steps.Batch, 0, tensor(qkv), new AttentionSettings { Scale = 0.125f }, tensor(output));
            });
            pair.AssertClose(qkv, steps.Batch.TokenCount, 256, 64, Rounding, rope ?? "plain");
            pair.AssertClose(output, steps.Batch.TokenCount, 256, 64, 2e-2, rope ?? "plain");
        }
    }

    [Theory]
    [InlineData(64)]
    [InlineData(104)]
    [InlineData(4096)]
    [InlineData(8192)]
    public void Embedding_and_norms(int hidden)
    {
        Gpu.Require();
        RaggedSteps steps = new([70, 1, 5], 16, seed: hidden);
        using BackendPair pair = new(new AttentionLayout(2, 1, 64), hidden, 64, steps, 16);
        BackendPair.Twin table = pair.Table(steps.Tokens, hidden), other = pair.Table(steps.Tokens, hidden), weight = pair.Vector(hidden);
        BackendPair.Twin x = pair.Allocate(steps.Tokens, hidden), delta = pair.Allocate(steps.Tokens, hidden), normed = pair.Allocate(steps.Tokens, hidden), sum = pair.Allocate(steps.Tokens, hidden);
        for (int step = 0; steps.Next(most: step % 2 == 0 ? 3 : 40, sequences: step % 2 == 0 ? 1 : 3); step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 1, tensor(x));
                backend.Embed(steps.Batch, tensor(other), 1, tensor(delta));
                backend.RmsNorm(steps.Batch, tensor(x), tensor(weight), 1e-5f, tensor(normed));
                backend.AddRmsNorm(steps.Batch, tensor(x), tensor(delta), tensor(weight), 1e-5f, tensor(sum));
            });
            Assert.Equal(pair.Cpu.ReadBack(delta.Cpu, steps.Batch.TokenCount), pair.Cuda.ReadBack(delta.Cuda, steps.Batch.TokenCount));
            pair.AssertClose(normed, steps.Batch.TokenCount, hidden, hidden, Rounding, "norm");
            pair.AssertClose(x, steps.Batch.TokenCount, hidden, hidden, Rounding, "residual sum");
            // The GPU norms the rounded sum: one rounding more.
            pair.AssertClose(sum, steps.Batch.TokenCount, hidden, hidden, 2 * Rounding, "norm of the sum");
        }
    }

    /// <summary>Norm weights stored less one, and a norm whose output is its input, as Gemma has them.</summary>
    [Theory]
    [InlineData(64)]
    [InlineData(2304)]
    public void Shifted_norms_in_place(int hidden)
    {
        Gpu.Require();
        RaggedSteps steps = new([70, 1, 5], 16, seed: hidden);
        using BackendPair pair = new(new AttentionLayout(2, 1, 64), hidden, 64, steps, 16);
        BackendPair.Twin table = pair.Table(steps.Tokens, hidden), weight = pair.Vector(hidden, offset: 1), x = pair.Allocate(steps.Tokens, hidden), normed = pair.Allocate(steps.Tokens, hidden);
        for (int step = 0; steps.Next(most: step % 2 == 0 ? 3 : 40, sequences: step % 2 == 0 ? 1 : 3); step++)
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 8, tensor(x));
                backend.RmsNorm(steps.Batch, tensor(x), tensor(weight), 1e-5f, tensor(normed));
                backend.RmsNorm(steps.Batch, tensor(x), tensor(weight), 1e-5f, tensor(x));
            });
            pair.AssertClose(normed, steps.Batch.TokenCount, hidden, hidden, Rounding, "norm");
            pair.AssertClose(x, steps.Batch.TokenCount, hidden, hidden, Rounding, "norm in place");
        }
    }

    [Theory]
    [InlineData(64, Activation.Silu)]
    [InlineData(1160, Activation.Silu)]
    [InlineData(14336, Activation.Silu)]
    [InlineData(1160, Activation.Gelu)]
    [InlineData(1160, Activation.GeluTanh)]
    [InlineData(1160, Activation.Relu)]
    internal void Gated_activation(int inner, Activation activation)
    {
        Gpu.Require();
        RaggedSteps steps = new([40, 2, 9], 16, seed: inner);
        using BackendPair pair = new(new AttentionLayout(2, 1, 64), 64, inner, steps, 16);
        BackendPair.Twin table = pair.Table(steps.Tokens, 2 * inner, 6), gateUp = pair.Allocate(steps.Tokens, 2 * inner), output = pair.Allocate(steps.Tokens, inner);
        while (steps.Next(most: 20, sequences: 2))
        {
            pair.Run(steps, (backend, tensor) =>
            {
                backend.Embed(steps.Batch, tensor(table), 1, tensor(gateUp));
                backend.GatedActivation(steps.Batch, tensor(gateUp), activation, tensor(output));
            });
            pair.AssertClose(output, steps.Batch.TokenCount, inner, 64, Rounding, $"{activation}(gate) × up");
        }
    }
}
