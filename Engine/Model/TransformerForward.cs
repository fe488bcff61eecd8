using Fastgen.Engine.Backends;
using Fastgen.Engine.Batching;

namespace Fastgen.Engine.Model;

/// <summary>The forward pass of every architecture: the only loop over layers.</summary>
internal sealed class TransformerForward : IDisposable
{
    private readonly ModelConfig _config;
    private readonly TransformerWeights _weights;
    private readonly IBackend _backend;
    private readonly AttentionSettings[] _attention;
    private readonly HeadNorms?[] _headNorms;
    private readonly int _maxSampled;
    private readonly DeviceTensor _hidden;
    private readonly DeviceTensor _normed;
    private readonly DeviceTensor _qkv;
    private readonly DeviceTensor? _compressed;
    private readonly DeviceTensor? _queryDown;
    private readonly DeviceTensor _attended;
    private readonly DeviceTensor _delta;
    private readonly DeviceTensor? _gateUp;
    private readonly DeviceTensor? _activated;
    private readonly DeviceTensor _sampledHidden;
    private readonly DeviceTensor _sampledAttended;

    /// <param name="maxTokens">Most tokens of one step.</param>
    /// <param name="maxSampled">Steps with more sample rows compute the last layer for all their tokens.</param>
    public TransformerForward(ModelConfig config, TransformerWeights weights, IBackend backend, int maxTokens, int maxSampled)
    {
        _config = config;
        _weights = weights;
        _backend = backend;
        _attention = [.. config.SlidingWindows.Zip(weights.Layers, (window, layer) => new AttentionSettings { Scale = config.AttentionScale, Window = window, SoftCap = config.AttentionSoftCap, Sinks = layer.Sinks })];
        _headNorms = [.. weights.Layers.Select(layer => layer is { QueryNorm: { } query, KeyNorm: { } key } ? new HeadNorms(query, key, config.RmsNormEpsilon) : (HeadNorms?)null)];
        _hidden = backend.Allocate(maxTokens, config.HiddenSize);
        _normed = backend.Allocate(maxTokens, config.HiddenSize);
        _qkv = backend.Allocate(maxTokens, config.Latent is { } latent ? latent.Layout.HeadCount * latent.Layout.QueryDim : config.QkvSize);
        _compressed = config.Latent is null ? null : backend.Allocate(maxTokens, config.Latent.Layout.CachedDim);
        _queryDown = config.Latent?.QueryRank is { } rank ? backend.Allocate(maxTokens, rank) : null;
        _attended = backend.Allocate(maxTokens, config.AttentionSize);
        _delta = backend.Allocate(maxTokens, config.HiddenSize);
        _sampledHidden = backend.Allocate(maxSampled, config.HiddenSize);
        _sampledAttended = backend.Allocate(maxSampled, config.AttentionSize);
        _maxSampled = maxSampled;
        if (weights.Layers.Any(layer => layer.Moe is null))
        {
            _gateUp = backend.Allocate(maxTokens, 2 * config.IntermediateSize);
            _activated = backend.Allocate(maxTokens, config.IntermediateSize);
        }

        foreach (var layer in weights.Layers)
        {
            if (layer.Moe is { } moe)
            {
                backend.PrepareMoe(moe);
            }

            if (layer.Latent is { } attention)
            {
                backend.PrepareLatent(attention.Attention);
            }
        }
    }

    /// <summary>Sees the embeddings ("embed"), the residual stream after each layer ("layer0" …) and the normed result ("norm"), to find where a mismatch begins.</summary>
    public Action<string, DeviceTensor>? Probe { get; set; }

    /// <summary>Queues one step up to its sampled tokens.</summary>
    public void Run(Batch batch)
    {
        var epsilon = _config.RmsNormEpsilon;
        var (hidden, attended) = (_hidden, _attended);
        _backend.Embed(batch, _weights.Embedding, _config.EmbeddingScale, hidden);                // [tokens, hidden]
        Probe?.Invoke("embed", hidden);
        _backend.RmsNorm(batch, hidden, _weights.Layers[0].InputNorm, epsilon, _normed);
        for (var i = 0; i < _weights.Layers.Count; i++)
        {
            var layer = _weights.Layers[i];
            var isLast = i + 1 == _weights.Layers.Count;
            ProjectAndStore(batch, i, layer);
            if (isLast && batch.SampleRows.Count == 0 && Probe is null)
            {
                // Nothing reads more of this step than its keys and values.
                break;
            }

            Attend(batch, i, layer);                                                              // [tokens, heads × headDim]
            if (isLast && KeepsSampled(batch))
            {
                _backend.KeepSampleRows(batch, (hidden, _sampledHidden), (attended, _sampledAttended));
                (hidden, attended) = (_sampledHidden, _sampledAttended);                          // from here on [rows, …]
            }

            _backend.Linear(batch, attended, layer.AttentionOutput, _delta);                      // [tokens, hidden]
            NormDelta(batch, layer.AttentionOutputNorm);
            _backend.AddRmsNorm(batch, hidden, _delta, layer.PostAttentionNorm, epsilon, _normed);
            FeedForward(batch, layer);                                                            // [tokens, hidden]
            NormDelta(batch, layer.DownNorm);
            var nextNorm = isLast ? _weights.FinalNorm : _weights.Layers[i + 1].InputNorm;
            _backend.AddRmsNorm(batch, hidden, _delta, nextNorm, epsilon, _normed);
            Probe?.Invoke($"layer{i}", hidden);
        }

        Probe?.Invoke("norm", _normed);
        _backend.Logits(batch, _normed, _weights.OutputHead, _config.LogitSoftCap);               // [rows, vocabulary]
        _backend.Sample(batch);
    }

    public void Dispose()
    {
        _hidden.Dispose();
        _normed.Dispose();
        _qkv.Dispose();
        _attended.Dispose();
        _delta.Dispose();
        _gateUp?.Dispose();
        _activated?.Dispose();
        _compressed?.Dispose();
        _queryDown?.Dispose();
        _sampledHidden.Dispose();
        _sampledAttended.Dispose();
    }

    /// <summary>Past the attention of its last layer a model needs only the tokens whose successors are chosen.</summary>
    private bool KeepsSampled(Batch batch) => batch.SampleRows.Count < batch.TokenCount && batch.SampleRows.Count <= _maxSampled && Probe is null;

    private void ProjectAndStore(Batch batch, int index, LayerWeights layer)
    {
        if (layer.Latent is not { } latent)
        {
            _backend.Linear(batch, _normed, layer.Qkv!, _qkv);                                    // [tokens, (heads + 2 kvHeads) × headDim]
            _backend.RopeAndStoreKv(batch, index, _qkv, _headNorms[index]);
            return;
        }

        if (latent is { QueryDown: { } down, QueryNorm: { } norm })
        {
            _backend.Linear(batch, _normed, down, _queryDown!);                                   // [tokens, query rank]
            _backend.RmsNorm(batch, _queryDown!, norm, LatentConfig.NormEpsilon, _queryDown!);
        }

        _backend.Linear(batch, _queryDown ?? _normed, latent.Query, _qkv);                        // [tokens, heads × query dimensions]
        _backend.Linear(batch, _normed, latent.KeyValueDown, _compressed!);                       // [tokens, latent + rope dimensions]
        _backend.RopeAndStoreLatent(batch, index, _qkv, _compressed!, latent.Attention);
    }

    private void Attend(Batch batch, int index, LayerWeights layer)
    {
        if (layer.Latent is { } latent)
        {
            _backend.LatentAttention(batch, index, _qkv, latent.Attention, _config.AttentionScale, _attended);
        }
        else
        {
            _backend.PagedAttention(batch, index, _qkv, _attention[index], _attended);
        }
    }

    private void FeedForward(Batch batch, LayerWeights layer)
    {
        if (layer.Moe is { } moe)
        {
            _backend.MoE(batch, _normed, moe, _delta);
            return;
        }

        _backend.Linear(batch, _normed, layer.GateUp!, _gateUp!);                                 // [tokens, 2 × intermediate]
        _backend.GatedActivation(batch, _gateUp!, _config.Activation, _activated!);               // [tokens, intermediate]
        _backend.Linear(batch, _activated!, layer.Down!, _delta);
    }

    private void NormDelta(Batch batch, DeviceTensor? weight)
    {
        if (weight is not null)
        {
            _backend.RmsNorm(batch, _delta, weight, _config.RmsNormEpsilon, _delta);
        }
    }
}
