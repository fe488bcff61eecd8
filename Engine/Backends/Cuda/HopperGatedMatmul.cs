using System.Runtime.InteropServices;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>The gate and up product of many rows on Hopper with its activation in passing: what it multiplies never goes through memory.</summary>
/// <remarks>Does nothing but this: where no activation follows, the product is the library's.</remarks>
internal sealed unsafe class HopperGatedMatmul(CudaDevice device, KernelCompiler compiler, int headDim) : FusedMatmul(headDim)
{
    /// <summary>Fewer leave most of a tile of 256 rows idle.</summary>
    private const int MinRows = 128;

    private const int TileRows = 256;
    private const int TileColumns = 96;
    private const int TileInputs = 64;
    private const int Threads = 384;
    private const int Stages = 4;
    private const int StageBytes = ((TileRows / 2) + (2 * TileColumns)) * TileInputs * 2;
    private const int SharedBytes = (Stages * (StageBytes + 16)) + (TileRows / 2 * TileColumns * 2) + 8 + 1024;

    private readonly KernelForms<bool> _kernels = new(device, compiler, "matmul_gated_hopper");
    private readonly Dictionary<(nint Weight, int Outputs, int Inputs), nint> _weightMaps = [];

    public override string Name => "gated9";

    public override bool TakesNorm => false;

    /// <summary>The kernel uses instructions of this one architecture.</summary>
    public static bool RunsOn(CudaDevice device) => device.ComputeCapability == 90;

    public override bool Accepts(MatmulShape shape) => false;

    public override bool Supports(ProductEpilogue after, in MatmulShape shape) =>
        after == ProductEpilogue.SiluMul && shape.Rows >= MinRows && shape.Outputs % 16 == 0 && !shape.Bias && shape.OutputType == shape.ElementType;

    public override void Run(in FusedProduct product)
    {
        MatmulShape shape = product.Shape;
        bool fp16 = shape.ElementType == CublasLt.Real16F;
        int inner = shape.Outputs / 2, tiles = (shape.Rows + TileRows - 1) / TileRows * ((inner + TileColumns - 1) / TileColumns);
        byte* raw = stackalloc byte[(3 * TensorMap.Bytes) + 64];
        byte* maps = (byte*)(((nint)raw + 63) & ~(nint)63);
        NativeMemory.Copy(WeightMap(product), maps, TensorMap.Bytes);
        TensorMap.Encode(maps + TensorMap.Bytes, product.Input, fp16, [(ulong)shape.Inputs, (ulong)shape.Rows], [TileInputs, TileRows / 2]);
        TensorMap.Encode(maps + (2 * TensorMap.Bytes), product.Output, fp16, [(ulong)inner, (ulong)shape.Rows], [TileColumns / 2, TileRows / 2], swizzles: false);
        Kernel(fp16).Launch(device.Stream, 2 * Math.Min(device.Multiprocessors / 2, tiles), 1, Threads, maps, shape.Rows, inner, shape.Inputs);
    }

    public override void Load(in MatmulShape shape, InputNorm norm, ProductEpilogue after) => Kernel(shape.ElementType == CublasLt.Real16F);

    public override void Dispose()
    {
        _kernels.Dispose();
        foreach (nint map in _weightMaps.Values)
        {
            NativeMemory.AlignedFree((void*)map);
        }
    }

    private void* WeightMap(in FusedProduct p)
    {
        if (!_weightMaps.TryGetValue((p.Weight, p.Shape.Outputs, p.Shape.Inputs), out nint map))
        {
            map = (nint)NativeMemory.AlignedAlloc(TensorMap.Bytes, 64);
            // A copy brings eight rows of gates, the eight that belong to them, and so on, 64 inputs of each.
            ulong inputs = (ulong)p.Shape.Inputs, half = (ulong)p.Shape.Outputs / 2, row = inputs * 2;
            TensorMap.Encode((void*)map, p.Weight, p.Shape.ElementType == CublasLt.Real16F, [inputs, 8, 2, half / 8], [row, half * row, 8 * row], [TileInputs, 8, 2, TileColumns / 16]);
            _weightMaps[(p.Weight, p.Shape.Outputs, p.Shape.Inputs)] = map;
        }

        return (void*)map;
    }

    private CudaKernel Kernel(bool fp16) =>
        _kernels.TryGet(fp16, out CudaKernel kernel) ? kernel : _kernels.Add(fp16, SharedBytes, $"STAGES={Stages}", $"ELEM_FP16={(fp16 ? 1 : 0)}");
}
