namespace Fastgen.Engine.Backends.Cuda;

/// <summary>What a kernel does with the sums of a product; the values are EPILOGUE of fused_product.cuh.</summary>
internal enum ProductEpilogue
{
    /// <summary>Writes them, [rows, outputs].</summary>
    Store = 0,

    /// <summary>Writes silu(gate) × up, [rows, outputs / 2].</summary>
    SiluMul = 1,

    /// <summary>Writes rotated queries to [rows, outputs], rotated keys and plain values to the cache.</summary>
    RotateAndStore = 2,

    /// <summary>Adds them to what is there, [rows, outputs].</summary>
    Add = 3,
}
