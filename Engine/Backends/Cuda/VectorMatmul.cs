using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Products of one or two rows on the CUDA cores, with the norm before them and what follows them done in passing.</summary>
internal sealed class VectorMatmul(CudaDevice device, KernelCompiler compiler, int headDim) : FusedMatmul(headDim)
{
    /// <summary>Most rows. The kernel takes four, but from three on it is no faster than tensor cores (decode layers of Mistral-7B on an H200: 115 µs at one
    /// and two rows, 131 to 137 at four, where <see cref="SkinnyMatmul"/> takes 129).</summary>
    public const int MaxRows = 2;

    private const int Threads = 256;
    private const int Warps = 8;

    private readonly KernelForms<(bool Fp16, int Rows, InputNorm Norm, ProductEpilogue After, int SharedBytes)> _kernels = new(device, compiler, "matvec");

    public override string Name => "vector";

    public override bool TakesNorm => true;

    public override bool Accepts(MatmulShape shape) => shape.Rows <= MaxRows && SharedBytes(shape) <= device.MaxSharedBytesPerBlock - 1024
        && (long)shape.Outputs * (shape.Inputs / 8) <= uint.MaxValue;

    public override bool Supports(ProductEpilogue after, in MatmulShape shape) => true;

    public override void Run(in FusedProduct product)
    {
        FusedProduct p = product;
        MatmulShape shape = p.Shape;
        int pairs = (shape.Outputs + 1) / 2;
        Kernel(shape, p.Norm, p.After).Launch(device.Stream, Math.Min((pairs + Warps - 1) / Warps, device.Multiprocessors * Ctas), 1, Threads,
            p.Output, p.Input, p.Weight, p.Bias, shape.Outputs, shape.Inputs, shape.OutputType == CublasLt.Real32F ? 1 : 0, p.NormWeight, p.Epsilon,
            p.Rotary.Keys, p.Rotary.Values, p.Rotary.CosSin, p.Rotary.Positions, p.Rotary.Slots, p.Rotary.Heads, p.Rotary.KeyValueHeads);
    }

    public override void Load(in MatmulShape shape, InputNorm norm, ProductEpilogue after) => Kernel(shape, norm, after);

    public override void Dispose() => _kernels.Dispose();

    private static int SharedBytes(MatmulShape shape) => shape.Rows * shape.Inputs * 2;

    /// <summary>What the registers allow, and the kernel's launch bounds say.</summary>
    private const int Ctas = 2;

    private CudaKernel Kernel(MatmulShape shape, InputNorm norm, ProductEpilogue after)
    {
        bool fp16 = shape.ElementType == CublasLt.Real16F;
        int shared = SharedBytes(shape);
        return _kernels.TryGet((fp16, shape.Rows, norm, after, shared), out CudaKernel kernel) ? kernel
            : _kernels.Add((fp16, shape.Rows, norm, after, shared), shared, $"ROWS={shape.Rows}", $"NORM={(int)norm}", $"EPILOGUE={(int)after}",
                $"CTAS={Ctas}", $"HEAD_DIM={HeadDim}", $"BLOCK_SIZE={BlockSize}", $"ELEM_FP16={(fp16 ? 1 : 0)}");
    }
}
