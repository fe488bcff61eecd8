namespace Fastgen.Engine.Model;

/// <summary>How far the loading of a model is.</summary>
/// <param name="Stage">What is being done, for people.</param>
/// <param name="LoadedBytes">Bytes of weights loaded so far.</param>
/// <param name="TotalBytes">Bytes of weights in all.</param>
public readonly record struct LoadProgress(string Stage, long LoadedBytes, long TotalBytes)
{
    /// <summary>Share of the weights that is loaded, from 0 to 1.</summary>
    public double Fraction => TotalBytes == 0 ? 0 : (double)LoadedBytes / TotalBytes;
}
