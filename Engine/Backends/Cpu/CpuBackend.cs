using System.Runtime.Intrinsics;
using Fastgen.Engine.Batching;
using Fastgen.Engine.Model;

namespace Fastgen.Engine.Backends.Cpu;

/// <summary>Runs steps on the processor: weights in their stored type, arithmetic in fp32, all cores.</summary>
/// <remarks>Promise: on one machine the result for a sequence does not depend on the other sequences of the batch, on how its prompt is
/// cut into chunks, or on the number of threads: every kernel adds in an order that none of these changes.</remarks>
internal sealed unsafe partial class CpuBackend : IBackend
{
    /// <summary>Share of the free memory that the KV cache takes where nothing else is said.</summary>
    private const double KvShare = 0.5;

    /// <summary>Most that it takes by itself: a CPU serves few sequences at a time.</summary>
    private const long KvLimitBytes = 4L << 30;

    /// <summary>Share of the free memory that copied weights may take.</summary>
    private const double CopyShare = 0.6;

    private readonly WorkerPool _pool;
    private readonly WeightPlacement _placement;
    private readonly bool _quantizeActivations;
    private readonly LinearJob _linear;
    private readonly CpuMoe _moe;
    private readonly NormJob _norm = new();
    private readonly GatedActivationJob _gatedActivation = new();
    private readonly RopeJob _rope = new();
    private readonly LatentStoreJob _latentStore = new();
    private readonly SampleJob _sample = new();
    private readonly StepOutput[] _outputs = [new(), new()];
    private AttentionJob? _attention;
    private CpuKvCache? _cache;
    private CpuLatentCache? _latentCache;
    private LatentAttention? _latentAttention;
    private RotaryTable[] _rotaryTables = [];
    private RotaryTable[] _rotaryOfLayer = [];
    private CpuTensor? _logits;
    private CpuTensor? _gathered;
    private int _current;
    private bool _hasResult;
    private bool _onlySampleRows;

    /// <param name="threads">Threads that compute, the caller's among them.</param>
    /// <param name="quantizeActivations">Rounds the inputs of linear layers where the checkpoint's format says how.</param>
    public CpuBackend(int threads, WeightPlacement placement, bool quantizeActivations = false)
    {
        _quantizeActivations = quantizeActivations;
        _pool = new WorkerPool(threads);
        _placement = placement;
        _linear = new LinearJob(threads);
        _moe = new CpuMoe(_pool, _linear);
    }

    public string Name => $"CPU, {_pool.ThreadCount} thread(s), {(Vector512.IsHardwareAccelerated ? "512" : Vector256.IsHardwareAccelerated ? "256" : "128")}-bit vectors";

    public int MaxStepsInFlight => 1;

    public long FreeBytes => AvailableMemory.Bytes();

    public long DefaultKvCacheBytes => (long)Math.Min(FreeBytes * KvShare, KvLimitBytes);

    public long KvBlockBytes(KvCacheLayout layout) => layout.Latent is null ? CpuKvCache.BlockBytes(layout) : CpuLatentCache.BlockBytes(layout);

    public bool PrefersMapped(long weightBytes) => _placement switch
    {
        WeightPlacement.Mapped => true,
        WeightPlacement.Copied => false,
        _ => weightBytes > FreeBytes * CopyShare,
    };

    public DeviceTensor Allocate(int rows, int columns) => new CpuTensor(rows, columns);

    public void AllocateKvCache(KvCacheLayout layout, IReadOnlyList<RotaryFrequencies> rotary)
    {
        DisposeCache();
        if (layout.Latent is null)
        {
            _cache = new CpuKvCache(layout);
            _attention = new AttentionJob(_cache, _pool.ThreadCount);
        }
        else
        {
            _latentCache = new CpuLatentCache(layout);
            _latentAttention = new LatentAttention(_latentCache, _pool, _linear);
        }

        var tables = rotary.Distinct().ToDictionary(frequencies => frequencies, frequencies => new RotaryTable(frequencies));
        _rotaryTables = [.. tables.Values];
        _rotaryOfLayer = [.. rotary.Select(frequencies => tables[frequencies])];
    }

    public void RunStep(Batch batch, Action<Batch> forward)
    {
        foreach (var (source, destination) in batch.BlockCopies)
        {
            _cache?.CopyBlock(source, destination);
            _latentCache?.CopyBlock(source, destination);
        }

        foreach (var (tokenIndex, previousRow) in batch.Feedback)
        {
            batch.TokenIds[tokenIndex] = _outputs[_current].TokenIds[previousRow];
        }

        // The other output stays as it is until the caller collects again.
        _current ^= 1;
        foreach (var table in _rotaryTables)
        {
            table.Fill(batch);
        }

        _onlySampleRows = false;
        forward(batch);
        _hasResult = true;
    }

    public void Embed(Batch batch, DeviceTensor table, float scale, DeviceTensor hidden)
    {
        var source = (CpuTable)table;
        var destination = (CpuTensor)hidden;
        for (var token = 0; token < batch.TokenCount; token++)
        {
            var id = batch.TokenIds[token];
            if (source.Layout is { } layout)
            {
                QuantizedWeights.WidenRow(layout, source.Row(id), source.InTile(id), destination.Row(token));
            }
            else if (source.IsPacked)
            {
                PackedWeights.WidenRow(source.Type, source.Row(id), source.InTile(id), destination.Row(token), source.Columns);
            }
            else
            {
                WidenRow(source.Type, source.Row(id), destination.Row(token), source.Columns);
            }

            if (scale != 1)
            {
                var row = new Span<float>(destination.Row(token), source.Columns);
                for (var i = 0; i < row.Length; i++)
                {
                    row[i] *= scale;
                }
            }
        }
    }

    public void RmsNorm(Batch batch, DeviceTensor hidden, DeviceTensor weight, float epsilon, DeviceTensor output) =>
        _norm.Run(_pool, Rows(batch), (CpuTensor)hidden, null, (CpuTensor)weight, epsilon, (CpuTensor)output);

    public void AddRmsNorm(Batch batch, DeviceTensor hidden, DeviceTensor delta, DeviceTensor weight, float epsilon, DeviceTensor output) =>
        _norm.Run(_pool, Rows(batch), (CpuTensor)hidden, (CpuTensor)delta, (CpuTensor)weight, epsilon, (CpuTensor)output);

    public void Linear(Batch batch, DeviceTensor input, LinearWeight weight, DeviceTensor output)
    {
        var (x, y) = ((CpuTensor)input, (CpuTensor)output);
        _linear.Run(_pool, x.Data, x.Stride, Rows(batch), (CpuLinearWeight)weight, y.Data, y.Stride);
    }

    public void RopeAndStoreKv(Batch batch, int layer, DeviceTensor qkv, HeadNorms? norms) =>
        _rope.Run(_pool, batch, layer, (CpuTensor)qkv, norms, _cache!, _rotaryOfLayer[layer]);

    public void PagedAttention(Batch batch, int layer, DeviceTensor qkv, AttentionSettings settings, DeviceTensor output) =>
        _attention!.Run(_pool, batch, layer, (CpuTensor)qkv, settings, (CpuTensor)output);

    public void RopeAndStoreLatent(Batch batch, int layer, DeviceTensor query, DeviceTensor compressed, LatentWeights weights) =>
        _latentStore.Run(_pool, batch, layer, (CpuTensor)query, (CpuTensor)compressed, weights, _latentCache!, _rotaryOfLayer[layer]);

    public void LatentAttention(Batch batch, int layer, DeviceTensor query, LatentWeights weights, float scale, DeviceTensor output) =>
        _latentAttention!.Run(batch, layer, (CpuTensor)query, weights, scale, (CpuTensor)output);

    public void GatedActivation(Batch batch, DeviceTensor gateUp, Activation activation, DeviceTensor output) =>
        _gatedActivation.Run(_pool, Rows(batch), (CpuTensor)gateUp, activation, (CpuTensor)output);

    public void MoE(Batch batch, DeviceTensor input, MoeWeights weights, DeviceTensor output) =>
        _moe.Run(Rows(batch), (CpuTensor)input, weights, (CpuTensor)output);

    public void KeepSampleRows(Batch batch, params ReadOnlySpan<(DeviceTensor Source, DeviceTensor Target)> tensors)
    {
        foreach (var (source, target) in tensors)
        {
            CopySampleRows(batch, (CpuTensor)source, (CpuTensor)target);
        }

        _onlySampleRows = true;
    }

    public void Logits(Batch batch, DeviceTensor hidden, LinearWeight weight, float? softCap)
    {
        var rows = batch.SampleRows.Count;
        if (rows == 0)
        {
            return;
        }

        var source = (CpuTensor)hidden;
        if (!_onlySampleRows)
        {
            _gathered = CpuTensor.Grow(_gathered, rows, source.Columns);
            CopySampleRows(batch, source, _gathered);
            source = _gathered;
        }

        _logits = CpuTensor.Grow(_logits, rows, weight.Outputs);
        _linear.Run(_pool, source.Data, source.Stride, rows, (CpuLinearWeight)weight, _logits.Data, _logits.Stride);
        if (softCap is { } cap)
        {
            for (var row = 0; row < rows; row++)
            {
                SoftCap.Apply(_logits.Row(row), _logits.Columns, cap);
            }
        }
    }

    public void Sample(Batch batch)
    {
        var output = _outputs[_current];
        output.Prepare(batch);
        output.Logits = [];
        if (batch.SampleRows.Count == 0)
        {
            return;
        }

        if (batch.ReturnLogits)
        {
            output.Logits = ReadBack(_logits!, batch.SampleRows.Count);
        }

        _sample.Run(_pool, batch, _logits!, output);
    }

    public StepOutput Collect()
    {
        if (!_hasResult)
        {
            throw new InvalidOperationException("No step is in flight: Submit comes before Collect.");
        }

        _hasResult = false;
        return _outputs[_current];
    }

    public float[] ReadBack(DeviceTensor tensor, int rows)
    {
        var source = (CpuTensor)tensor;
        var values = new float[rows * source.Columns];
        for (var row = 0; row < rows; row++)
        {
            new Span<float>(source.Row(row), source.Columns).CopyTo(values.AsSpan(row * source.Columns));
        }

        return values;
    }

    public void Dispose()
    {
        _pool.Dispose();
        _sample.Dispose();
        _moe.Dispose();
        _linear.DisposeBuffers();
        DisposeCache();
        _logits?.Dispose();
        _gathered?.Dispose();
    }

    private void DisposeCache()
    {
        _attention?.DisposeBuffers();
        _cache?.Dispose();
        _latentAttention?.Dispose();
        _latentCache?.Dispose();
        (_attention, _cache, _latentAttention, _latentCache) = (null, null, null, null);
    }

    /// <summary>Rows of activations at this point of the step.</summary>
    private int Rows(Batch batch) => _onlySampleRows ? batch.SampleRows.Count : batch.TokenCount;

    private static void CopySampleRows(Batch batch, CpuTensor source, CpuTensor target)
    {
        for (var row = 0; row < batch.SampleRows.Count; row++)
        {
            new Span<float>(source.Row(batch.SampleRows[row].TokenIndex), source.Stride).CopyTo(new Span<float>(target.Row(row), target.Stride));
        }
    }
}
