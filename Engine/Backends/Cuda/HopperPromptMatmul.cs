using System.Runtime.InteropServices;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Products of many rows on Hopper with what follows them done in passing, so that the sums never go through memory: gate and up with
/// their activation; queries, keys and values with rotation and cache.</summary>
/// <remarks>Does nothing but this: where nothing follows, the product is the library's.</remarks>
internal sealed unsafe class HopperPromptMatmul(CudaDevice device, KernelCompiler compiler, int headDim) : FusedMatmul(headDim)
{
    /// <summary>Fewer leave most of a tile of 256 rows idle.</summary>
    private const int MinRows = 128;

    private const int TileRows = 256;
    private const int TileWeights = 256;
    private const int TileInputs = 64;
    private const int Threads = 384;
    private const int Stages = 4;
    private const int StageBytes = (128 + 256) * TileInputs * 2;
    private const int SharedBytes = (Stages * (StageBytes + 16)) + (TileRows / 2 * TileWeights) + 1024;

    private readonly Dictionary<(bool Fp16, ProductEpilogue After), (CudaModule Module, CudaKernel Kernel)> _kernels = [];
    private readonly Dictionary<(nint Weight, int Outputs, int Inputs, ProductEpilogue After), nint> _weightMaps = [];

    public override string Name => "prompt9";

    public override bool TakesNorm => false;

    /// <summary>The kernel uses instructions of this one architecture.</summary>
    public static bool RunsOn(CudaDevice device) => device.ComputeCapability == 90;

    public override bool Accepts(MatmulShape shape) => false;

    public override bool Supports(ProductEpilogue after, in MatmulShape shape) => shape.Rows >= MinRows && shape.OutputType == shape.ElementType && after switch
    {
        ProductEpilogue.SiluMul => shape.Outputs % 16 == 0 && !shape.Bias,
        ProductEpilogue.RotateAndStore => HeadDim is 64 or 128 && shape.Outputs % HeadDim == 0,
        _ => false,
    };

    public override void Run(in FusedProduct product)
    {
        MatmulShape shape = product.Shape;
        bool fp16 = shape.ElementType == CublasLt.Real16F;
        int tiles = (shape.Rows + TileRows - 1) / TileRows * ((shape.Outputs + TileWeights - 1) / TileWeights);
        int columns = product.After == ProductEpilogue.SiluMul ? shape.Outputs / 2 : shape.Outputs;
        byte* raw = stackalloc byte[(3 * TensorMap.Bytes) + 64];
        byte* maps = (byte*)(((nint)raw + 63) & ~(nint)63);
        NativeMemory.Copy(WeightMap(product, fp16), maps, TensorMap.Bytes);
        TensorMap.Encode(maps + TensorMap.Bytes, product.Input, fp16, [(ulong)shape.Inputs, (ulong)shape.Rows], [TileInputs, TileRows / 2]);
        TensorMap.Encode(maps + (2 * TensorMap.Bytes), product.Output, fp16, [(ulong)columns, (ulong)shape.Rows], [64, 64]);
        RotaryTarget rotary = product.Rotary;
        Kernel(fp16, product.After).Launch(device.Stream, 2 * Math.Min(device.Multiprocessors / 2, tiles), 1, Threads, maps,
            product.Output, shape.Rows, shape.Outputs, shape.Inputs, shape.Bias ? product.Bias : 0,
            rotary.Keys, rotary.Values, rotary.CosSin, rotary.Positions, rotary.Slots, rotary.Heads, rotary.KeyValueHeads);
    }

    public override void Load(in MatmulShape shape, ProductEpilogue after) => Kernel(shape.ElementType == CublasLt.Real16F, after);

    public override void Dispose()
    {
        foreach ((CudaModule module, _) in _kernels.Values)
        {
            module.Dispose();
        }

        foreach (nint map in _weightMaps.Values)
        {
            NativeMemory.AlignedFree((void*)map);
        }
    }

    /// <summary>Eight rows of one half, the eight that belong to them, and so on.</summary>
    private void* WeightMap(in FusedProduct p, bool fp16)
    {
        if (!_weightMaps.TryGetValue((p.Weight, p.Shape.Outputs, p.Shape.Inputs, p.After), out nint map))
        {
            ulong inputs = (ulong)p.Shape.Inputs, outputs = (ulong)p.Shape.Outputs, row = inputs * 2, inner = outputs / 2, dim = (ulong)HeadDim;
            map = (nint)NativeMemory.AlignedAlloc(TensorMap.Bytes, 64);
            if (p.After == ProductEpilogue.SiluMul)
            {
                TensorMap.Encode((void*)map, p.Weight, fp16, [inputs, 8, 2, inner / 8], [row, inner * row, 8 * row], [TileInputs, 8, 2, TileWeights / 32]);
            }
            else
            {
                TensorMap.Encode((void*)map, p.Weight, fp16, [inputs, 8, 2, dim / 16, outputs / dim], [row, dim / 2 * row, 8 * row, dim * row],
                    [TileInputs, 8, 2, (uint)dim / 16, TileWeights / 2 / (uint)dim]);
            }

            _weightMaps[(p.Weight, p.Shape.Outputs, p.Shape.Inputs, p.After)] = map;
        }

        return (void*)map;
    }

    private CudaKernel Kernel(bool fp16, ProductEpilogue after)
    {
        if (!_kernels.TryGetValue((fp16, after), out (CudaModule Module, CudaKernel Kernel) found))
        {
            CudaModule module = new(device, compiler.Compile("matmul_prompt_hopper.cu", $"STAGES={Stages}", $"EPILOGUE={(int)after}",
                $"HEAD_DIM={HeadDim}", $"BLOCK_SIZE={BlockSize}", $"ELEM_FP16={(fp16 ? 1 : 0)}"));
            found = (module, module.Kernel("matmul_prompt_hopper", SharedBytes, overlaps: true));
            _kernels[(fp16, after)] = found;
        }

        return found.Kernel;
    }
}
