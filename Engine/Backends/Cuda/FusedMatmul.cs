using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>A kernel of ours that does in passing what stands around a product.</summary>
/// <param name="headDim">Dimensions of a head, for <see cref="ProductEpilogue.RotateAndStore"/>.</param>
internal abstract unsafe class FusedMatmul(int headDim) : OwnMatmul
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
    public abstract void Load(in MatmulShape shape, ProductEpilogue after);

    /// <summary>Describes a weight of two halves so that a copy brings eight rows of the first, the eight that belong to them, and so on, 64 inputs of each.</summary>
    /// <param name="map">Host memory on 64 bytes.</param>
    /// <param name="groups">Such pairs of eight that one copy brings.</param>
    protected static void MapHalves(void* map, nint weight, in MatmulShape shape, uint groups)
    {
        ulong inputs = (ulong)shape.Inputs, half = (ulong)shape.Outputs / 2, row = inputs * 2;
        TensorMap.Encode(map, weight, shape.ElementType == CublasLt.Real16F, [inputs, 8, 2, half / 8], [row, half * row, 8 * row], [64, 8, 2, groups]);
    }

    public sealed override void Run(MatmulShape shape, nint input, nint weight, nint bias, nint output) => Run(new FusedProduct(shape, input, weight, bias, output));
}
