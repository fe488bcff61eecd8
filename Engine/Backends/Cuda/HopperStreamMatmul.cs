using System.Runtime.InteropServices;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Products of up to 8 rows by Hopper's asynchronous matrix products, the weights brought by the copy engine through a ring in
/// shared memory, with what follows them done in passing.</summary>
/// <remarks>Every multiprocessor reads an equal share of the weights, whatever their shape; what the shares cut apart is put together in the order of the inputs.</remarks>
internal sealed unsafe class HopperStreamMatmul : FusedMatmul
{
    /// <summary>Most rows. The kernel was made for 16 and 32 too, but whole steps of so many were no faster than with the library's products (docs/performance.md).</summary>
    public const int MaxRows = 8;

    private const int Stages = 6;
    private const int SharedBytes = (Stages * (((TileOutputs + MaxRows) * LineBytes) + 16)) + 1024;
    private const int TileOutputs = 128;
    private const int TileInputs = 64;
    private const int LineBytes = TileInputs * 2;
    private const int Threads = 288;
    private const int MaxTiles = 16384;

    private readonly CudaDevice _device;
    private readonly KernelCompiler _compiler;
    private readonly DeviceBuffer _parts;
    private readonly DeviceBuffer _arrivals;
    private readonly Dictionary<(bool Fp16, ProductEpilogue After), (CudaModule Module, CudaKernel Kernel)> _kernels = [];
    private readonly Dictionary<(nint Weight, nint Input, MatmulShape Shape, ProductEpilogue After), nint> _maps = [];

    /// <param name="headDim">Dimensions of a head, for products that rotate queries and keys in passing.</param>
    public HopperStreamMatmul(CudaDevice device, KernelCompiler compiler, int headDim)
        : base(headDim)
    {
        _device = device;
        _compiler = compiler;
        _parts = new DeviceBuffer(device, (long)device.Multiprocessors * 2 * TileOutputs * MaxRows * sizeof(float), "partial results of matrix products");
        _arrivals = new DeviceBuffer(device, MaxTiles * sizeof(int), "counters of matrix products");
        Driver.FillAsync(_arrivals.Address, 0, (nuint)_arrivals.Bytes, device.Stream).Check();
    }

    public override string Name => "stream9";

    public override bool TakesNorm => false;

    /// <summary>The kernel uses instructions of this one architecture.</summary>
    public static bool RunsOn(CudaDevice device) => device.ComputeCapability == 90;

    public override bool Accepts(MatmulShape shape) => shape.Rows <= MaxRows && (shape.Outputs + TileOutputs - 1) / TileOutputs <= MaxTiles;

    /// <summary>Rows of the weight that belong together are brought in groups of 8, heads in tiles of 128.</summary>
    public override bool Supports(ProductEpilogue after, in MatmulShape shape) => after switch
    {
        ProductEpilogue.SiluMul => shape.Outputs % 16 == 0,
        ProductEpilogue.RotateAndStore => HeadDim is 64 or 128 && shape.Outputs % HeadDim == 0,
        _ => true,
    };

    public override void Run(in FusedProduct product)
    {
        FusedProduct p = product;
        MatmulShape shape = p.Shape;
        int boxes = (shape.Outputs + TileOutputs - 1) / TileOutputs * ((shape.Inputs + TileInputs - 1) / TileInputs);
        Kernel(shape, p.After).Launch(_device.Stream, Math.Min(boxes, _device.Multiprocessors), 1, Threads, Maps(p),
            p.Output, shape.Bias ? p.Bias : 0, shape.Rows, shape.Outputs, shape.Inputs, shape.OutputType == CublasLt.Real32F ? 1 : 0,
            _parts.Address, _arrivals.Address,
            p.Rotary.Keys, p.Rotary.Values, p.Rotary.CosSin, p.Rotary.Positions, p.Rotary.Slots, p.Rotary.Heads, p.Rotary.KeyValueHeads);
    }

    public override void Load(in MatmulShape shape, ProductEpilogue after) => Kernel(shape, after);

    public override void Dispose()
    {
        _parts.Dispose();
        _arrivals.Dispose();
        foreach ((CudaModule module, _) in _kernels.Values)
        {
            module.Dispose();
        }

        foreach (nint maps in _maps.Values)
        {
            NativeMemory.AlignedFree((void*)maps);
        }
    }

    /// <summary>Maps of weight and input, one after the other. They travel as a kernel argument, so none has to be sent to the device while a graph is recorded.</summary>
    private void* Maps(in FusedProduct p)
    {
        if (_maps.TryGetValue((p.Weight, p.Input, p.Shape, p.After), out nint known))
        {
            return (void*)known;
        }

        byte* maps = (byte*)NativeMemory.AlignedAlloc(2 * TensorMap.Bytes, 64);
        _maps[(p.Weight, p.Input, p.Shape, p.After)] = (nint)maps;
        MapWeight(maps, p);
        TensorMap.Encode(maps + TensorMap.Bytes, p.Input, p.Shape.ElementType == CublasLt.Real16F,
            [(ulong)p.Shape.Inputs, (ulong)p.Shape.Rows], [TileInputs, MaxRows]);
        return maps;
    }

    /// <summary>A thread ends up with outputs that lie 8 apart in a box: those that belong together are put there.</summary>
    private void MapWeight(void* map, in FusedProduct p)
    {
        bool fp16 = p.Shape.ElementType == CublasLt.Real16F;
        ulong inputs = (ulong)p.Shape.Inputs, outputs = (ulong)p.Shape.Outputs, row = inputs * 2, dim = (ulong)HeadDim;
        switch (p.After)
        {
            case ProductEpilogue.SiluMul:
                MapHalves(map, p.Weight, p.Shape, TileOutputs / 16);
                break;
            case ProductEpilogue.RotateAndStore:
                TensorMap.Encode(map, p.Weight, fp16, [inputs, 8, 2, dim / 16, outputs / dim], [row, dim / 2 * row, 8 * row, dim * row],
                    [TileInputs, 8, 2, (uint)dim / 16, TileOutputs / (uint)dim]);
                break;
            default:
                TensorMap.Encode(map, p.Weight, fp16, [inputs, outputs], [TileInputs, TileOutputs]);
                break;
        }
    }

    private CudaKernel Kernel(in MatmulShape shape, ProductEpilogue after)
    {
        bool fp16 = shape.ElementType == CublasLt.Real16F;
        if (!_kernels.TryGetValue((fp16, after), out (CudaModule Module, CudaKernel Kernel) found))
        {
            CudaModule module = new(_device, _compiler.Compile("matmul_stream_hopper.cu", $"STAGES={Stages}", $"EPILOGUE={(int)after}",
                $"HEAD_DIM={HeadDim}", $"BLOCK_SIZE={BlockSize}", $"ELEM_FP16={(fp16 ? 1 : 0)}"));
            found = (module, module.Kernel("matmul_stream_hopper", SharedBytes, overlaps: true));
            _kernels[(fp16, after)] = found;
        }

        return found.Kernel;
    }
}
