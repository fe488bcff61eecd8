using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Products of up to 16 rows on the tensor cores, the weights straight into registers.</summary>
/// <remarks>It starts reading weights before the kernel that makes its input has ended, which a library's kernels do not.</remarks>
internal sealed class SkinnyMatmul(CudaDevice device, KernelCompiler compiler) : OwnMatmul
{
    private const int MaxRows = 16;
    private const int OutputsPerCta = 16;
    private const int Threads = 256;
    private const int RowsPerTile = 8;

    private readonly KernelForms<(bool Fp16, int Tiles)> _kernels = new(device, compiler, "matmul_skinny");

    public override string Name => "skinny";

    public override bool Accepts(MatmulShape shape) => shape.Rows <= MaxRows;

    public override void Run(MatmulShape shape, nint input, nint weight, nint bias, nint output)
    {
        int tiles = (shape.Rows + RowsPerTile - 1) / RowsPerTile;
        Kernel(shape.ElementType == CublasLt.Real16F, tiles).Launch(device.Stream, (shape.Outputs + OutputsPerCta - 1) / OutputsPerCta, 1, Threads,
            output, input, weight, shape.Bias ? bias : 0, shape.Rows, shape.Outputs, shape.Inputs, shape.OutputType == CublasLt.Real32F ? 1 : 0);
    }

    public override void Dispose() => _kernels.Dispose();

    private CudaKernel Kernel(bool fp16, int tiles) =>
        _kernels.TryGet((fp16, tiles), out CudaKernel kernel) ? kernel : _kernels.Add((fp16, tiles), 0, $"TOKEN_TILES={tiles}", $"ELEM_FP16={(fp16 ? 1 : 0)}");
}
