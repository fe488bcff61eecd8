namespace Fastgen.Engine.Backends;

/// <summary>The projections of one layer's latent attention that run inside it.</summary>
internal sealed record LatentWeights : IDisposable
{
    /// <summary>[1, latent] norm of the compressed vector.</summary>
    public required DeviceTensor Norm { get; init; }

    /// <summary>Added to the norm's mean square.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>[heads] each [latent, content]: what makes keys, applied to the query instead.</summary>
    public required IReadOnlyList<LinearWeight> KeyProjections { get; init; }

    /// <summary>[heads] each [value, latent]: what makes values, applied to the attended sum instead.</summary>
    public required IReadOnlyList<LinearWeight> ValueProjections { get; init; }

    public long ByteCount => KeyProjections.Sum(weight => weight.ByteCount) + ValueProjections.Sum(weight => weight.ByteCount);

    public void Dispose()
    {
        Norm.Dispose();
        foreach (var weight in KeyProjections.Concat(ValueProjections))
        {
            weight.Dispose();
        }
    }
}
