namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A kernel of ours for matrix products of few rows, which competes with the library's by time.</summary>
internal abstract class OwnMatmul : IDisposable
{
    /// <summary>One word, kept in the file of tuning.</summary>
    public abstract string Name { get; }

    /// <summary>Whether it can compute this shape.</summary>
    public abstract bool Accepts(MatmulShape shape);

    /// <summary>Whether it is worth timing before this: not where whole steps take longer with it although it is faster alone.</summary>
    public virtual bool Competes(MatmulShape shape, ProductEpilogue after) => true;

    /// <summary>Queues output[rows, outputs] = input × weightᵀ (+ bias).</summary>
    public abstract void Run(MatmulShape shape, nint input, nint weight, nint bias, nint output);

    public abstract void Dispose();
}
