using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model;

/// <summary>Weights of one layer's latent attention on a device, without its output projection.</summary>
internal sealed record LatentLayerWeights : IDisposable
{
    /// <summary>Compresses queries; null where they are not compressed.</summary>
    public LinearWeight? QueryDown { get; init; }

    /// <summary>Norm of compressed queries; null where they are not compressed.</summary>
    public DeviceTensor? QueryNorm { get; init; }

    /// <summary>[heads × query dimensions, compressed query or hidden]</summary>
    public required LinearWeight Query { get; init; }

    /// <summary>[latent + position part of the key, hidden]</summary>
    public required LinearWeight KeyValueDown { get; init; }

    public required LatentWeights Attention { get; init; }

    public long ByteCount => (QueryDown?.ByteCount ?? 0) + Query.ByteCount + KeyValueDown.ByteCount + Attention.ByteCount;

    public void Dispose()
    {
        QueryDown?.Dispose();
        QueryNorm?.Dispose();
        Query.Dispose();
        KeyValueDown.Dispose();
        Attention.Dispose();
    }
}
