using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model;

/// <summary>Weights of one layer on a device.</summary>
internal sealed record LayerWeights : IDisposable
{
    public required DeviceTensor InputNorm { get; init; }

    /// <summary>Query, key and value projections in one matrix; null with <see cref="Latent"/>.</summary>
    public LinearWeight? Qkv { get; init; }

    /// <summary>Takes the place of <see cref="Qkv"/>; null where keys and values are cached themselves.</summary>
    public LatentLayerWeights? Latent { get; init; }

    /// <summary>[1, heads] attention sinks; null where the model has none.</summary>
    public DeviceTensor? Sinks { get; init; }

    /// <summary>Norm of each query head before it is turned; null where the model has none.</summary>
    public DeviceTensor? QueryNorm { get; init; }

    /// <summary>Norm of each key head before it is turned; null where the model has none.</summary>
    public DeviceTensor? KeyNorm { get; init; }

    public required LinearWeight AttentionOutput { get; init; }

    /// <summary>Norm of what attention gives, before it joins the residual stream; null where the model has none.</summary>
    public DeviceTensor? AttentionOutputNorm { get; init; }

    /// <summary>Norm of the residual stream before the feed-forward part.</summary>
    public required DeviceTensor PostAttentionNorm { get; init; }

    /// <summary>Gate and up projections in one matrix; null with <see cref="Moe"/>.</summary>
    public LinearWeight? GateUp { get; init; }

    /// <summary>Null with <see cref="Moe"/>.</summary>
    public LinearWeight? Down { get; init; }

    /// <summary>Takes the place of <see cref="GateUp"/> and <see cref="Down"/>; null in a dense layer.</summary>
    public MoeWeights? Moe { get; init; }

    /// <summary>Norm of what the feed-forward part gives, before it joins the residual stream; null where the model has none.</summary>
    public DeviceTensor? DownNorm { get; init; }

    /// <summary>Bytes of matrices that a step of one token reads.</summary>
    public long BytesPerToken => (Qkv?.ByteCount ?? 0) + (Latent?.ByteCount ?? 0) + AttentionOutput.ByteCount + (GateUp?.ByteCount ?? 0) + (Down?.ByteCount ?? 0) + (Moe?.BytesPerToken ?? 0);

    public void Dispose()
    {
        InputNorm.Dispose();
        Qkv?.Dispose();
        Latent?.Dispose();
        Sinks?.Dispose();
        QueryNorm?.Dispose();
        KeyNorm?.Dispose();
        AttentionOutput.Dispose();
        AttentionOutputNorm?.Dispose();
        PostAttentionNorm.Dispose();
        GateUp?.Dispose();
        Down?.Dispose();
        Moe?.Dispose();
        DownNorm?.Dispose();
    }
}
