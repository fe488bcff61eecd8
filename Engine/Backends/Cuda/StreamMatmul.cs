using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Products of up to 32 rows on the tensor cores, the weights through a ring in shared memory; on Hopper <see cref="StationaryMatmul"/> takes its place.</summary>
/// <remarks>Every multiprocessor reads an equal share of the weights, whatever their shape; what the shares cut apart is put together in the order of the inputs.</remarks>
internal sealed class StreamMatmul : OwnMatmul
{
    private const int MaxRows = 32;
    private const int TileOutputs = 128;
    private const int TileInputs = 64;
    private const int RowsPerTile = 8;
    private const int InputRowBytes = 144;
    private const int Threads = 256;
    private const int Stages = 4;
    private const int MaxTiles = 16384;

    private readonly CudaDevice _device;
    private readonly DeviceBuffer _parts;
    private readonly DeviceBuffer _arrivals;
    private readonly KernelForms<(bool Fp16, int Tiles)> _kernels;

    public StreamMatmul(CudaDevice device, KernelCompiler compiler)
    {
        _device = device;
        _kernels = new KernelForms<(bool Fp16, int Tiles)>(device, compiler, "matmul_stream");
        _parts = new DeviceBuffer(device, (long)device.Multiprocessors * 2 * TileOutputs * MaxRows * sizeof(float), "partial results of matrix products");
        _arrivals = new DeviceBuffer(device, MaxTiles * sizeof(int), "counters of matrix products");
        Driver.FillAsync(_arrivals.Address, 0, (nuint)_arrivals.Bytes, device.Stream).Check();
    }

    public override string Name => "stream";

    public override bool Accepts(MatmulShape shape) => shape.Rows <= MaxRows && (shape.Outputs + TileOutputs - 1) / TileOutputs <= MaxTiles
        && SharedBytes(Tiles(shape.Rows)) <= _device.MaxSharedBytesPerBlock;

    public override void Run(MatmulShape shape, nint input, nint weight, nint bias, nint output)
    {
        int boxes = (shape.Outputs + TileOutputs - 1) / TileOutputs * ((shape.Inputs + TileInputs - 1) / TileInputs);
        Kernel(shape.ElementType == CublasLt.Real16F, Tiles(shape.Rows)).Launch(_device.Stream, Math.Min(boxes, _device.Multiprocessors), 1, Threads,
            output, input, weight, shape.Bias ? bias : 0, shape.Rows, shape.Outputs, shape.Inputs, shape.OutputType == CublasLt.Real32F ? 1 : 0,
            _parts.Address, _arrivals.Address);
    }

    public override void Dispose()
    {
        _parts.Dispose();
        _arrivals.Dispose();
        _kernels.Dispose();
    }

    private static int Tiles(int rows) => rows <= RowsPerTile ? 1 : rows <= 2 * RowsPerTile ? 2 : 4;

    private static int SharedBytes(int tiles) => Stages * ((TileOutputs * TileInputs * 2) + (RowsPerTile * tiles * InputRowBytes));

    private CudaKernel Kernel(bool fp16, int tiles) =>
        _kernels.TryGet((fp16, tiles), out CudaKernel kernel) ? kernel
        : _kernels.Add((fp16, tiles), SharedBytes(tiles), $"TOKEN_TILES={tiles}", $"STAGES={Stages}", $"ELEM_FP16={(fp16 ? 1 : 0)}");
}
