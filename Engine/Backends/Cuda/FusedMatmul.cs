namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A kernel of ours that does in passing what stands around a product.</summary>
/// <param name="headDim">Dimensions of a head, for <see cref="ProductEpilogue.RotateAndStore"/>.</param>
internal abstract class FusedMatmul(int headDim) : OwnMatmul
{
    /// <summary>Tokens per block of the KV cache, known once there is one.</summary>
    public int BlockSize { get; set; } = 64;

    /// <summary>Whether it can normalise its input.</summary>
    public abstract bool TakesNorm { get; }

    protected int HeadDim => headDim;

    /// <summary>Whether it can do so with the sums of this shape.</summary>
    public abstract bool Supports(ProductEpilogue after, in MatmulShape shape);

    /// <summary>Queues a product with what surrounds it.</summary>
    /// <param name="product">With a norm only where the kernel takes one, and followed only by what it supports.</param>
    public abstract void Run(in FusedProduct product);

    /// <summary>Compiles and loads what a decode step runs for this shape: neither may happen while a graph is recorded.</summary>
    public abstract void Load(in MatmulShape shape, InputNorm norm, ProductEpilogue after);

    public sealed override void Run(MatmulShape shape, nint input, nint weight, nint bias, nint output) => Run(new FusedProduct(shape, input, weight, shape.Bias ? bias : 0, output));
}
