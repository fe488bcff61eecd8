namespace Fastgen.Engine.Backends.Cuda;

/// <summary>What a kernel does with the input of a product before it; the values are NORM of fused_product.cuh.</summary>
internal enum InputNorm
{
    /// <summary>Takes it as it is.</summary>
    None = 0,

    /// <summary>Brings each row to unit root-mean-square and multiplies it by the norm's weight.</summary>
    Weighted = 1,

    /// <summary>The norm's weight is part of the matrix: the sums are divided by the root-mean-square of the input's row.</summary>
    Folded = 2,
}
