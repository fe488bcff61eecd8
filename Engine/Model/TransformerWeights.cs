using Fastgen.Engine.Backends;

namespace Fastgen.Engine.Model;

/// <summary>All weights of a model on a device.</summary>
internal sealed record TransformerWeights : IDisposable
{
    public required DeviceTensor Embedding { get; init; }

    public required IReadOnlyList<LayerWeights> Layers { get; init; }

    public required DeviceTensor FinalNorm { get; init; }

    public required LinearWeight OutputHead { get; init; }

    /// <summary>Bytes of matrices that a decode step of one sequence reads: every layer, with experts those that a token goes to, and the output head.</summary>
    public long BytesPerStep
    {
        get
        {
            var bytes = OutputHead.ByteCount;
            foreach (var layer in Layers)
            {
                bytes += layer.BytesPerToken;
            }

            return bytes;
        }
    }

    public void Dispose()
    {
        Embedding.Dispose();
        FinalNorm.Dispose();
        OutputHead.Dispose();
        foreach (var layer in Layers)
        {
            layer.Dispose();
        }
    }
}
