using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Attention to compressed vectors: queries are projected into their space, and what they attend to is projected back, so keys and values are never made.</summary>
/// <remarks>DeepSeek-AI 2024 (DeepSeek-V2), section 2.1.2 and appendix C: the projections are absorbed.</remarks>
internal sealed unsafe class LatentAttention : IDisposable
{
    /// <summary>Most bytes of projected rows: a step of more tokens is taken in passes.</summary>
    private const long ScratchBytes = 256L << 20;

    private readonly LatentLayout _layout;
    private readonly WorkerPool _pool;
    private readonly LinearGroupJob _group;
    private readonly LatentAttentionJob _job;
    private readonly int _latentStride;
    private CpuTensor? _projected;
    private CpuTensor? _attended;

    /// <param name="linear">Whose scratch memory the projections use.</param>
    public LatentAttention(CpuLatentCache cache, WorkerPool pool, LinearJob linear)
    {
        _layout = cache.Latent;
        _pool = pool;
        _group = new LinearGroupJob(linear);
        _latentStride = CpuTensor.Pad(_layout.LatentDim);
        _job = new LatentAttentionJob(cache, pool.ThreadCount, _latentStride);
    }

    /// <param name="query">[tokens, heads × QueryDim]</param>
    /// <param name="output">[tokens, heads × ValueDim]</param>
    public void Run(Batch batch, int layer, CpuTensor query, LatentWeights weights, float scale, CpuTensor output)
    {
        var tokenBytes = (long)_layout.HeadCount * (_layout.LatentDim + _latentStride) * sizeof(float);
        var passTokens = (int)Math.Clamp(ScratchBytes / tokenBytes, 1, Math.Max(batch.TokenCount, 1));
        for (var start = 0; start < batch.TokenCount; start += passTokens)
        {
            Pass(batch, layer, start, Math.Min(passTokens, batch.TokenCount - start), query, weights, scale, output);
        }
    }

    public void Dispose()
    {
        _group.DisposeBuffers();
        _job.DisposeBuffers();
        _projected?.Dispose();
        _attended?.Dispose();
    }

    private void Pass(Batch batch, int layer, int start, int tokens, CpuTensor query, LatentWeights weights, float scale, CpuTensor output)
    {
        _projected = CpuTensor.Grow(_projected, tokens, _layout.HeadCount * _layout.LatentDim);
        _attended = CpuTensor.Grow(_attended, tokens, _layout.HeadCount * _latentStride);
        _group.Clear();
        for (var head = 0; head < _layout.HeadCount; head++)
        {
            // Products read whole vectors: past the content part lies the position part, which meets weights of zero.
            _group.Add(_pool, query.Row(start) + (head * _layout.QueryDim), query.Stride, tokens, (CpuLinearWeight)weights.KeyProjections[head], _projected.Data + (head * _layout.LatentDim), _projected.Stride);
        }

        _group.Run(_pool);
        _job.Run(_pool, batch, layer, start, tokens, query, _projected, scale, _attended);
        _group.Clear();
        for (var head = 0; head < _layout.HeadCount; head++)
        {
            _group.Add(_pool, _attended.Data + (head * _latentStride), _attended.Stride, tokens, (CpuLinearWeight)weights.ValueProjections[head], output.Row(start) + (head * _layout.ValueDim), output.Stride);
        }

        _group.Run(_pool);
    }
}
