namespace Fastgen.Engine.Backends.Cuda;

/// <summary>The kernels of matmul_grouped.cu: products of many matrices of one shape, each with rows of its own.</summary>
/// <param name="definitions">What the products are: see the kernel.</param>
internal sealed class GroupedMatmul(CudaDevice device, KernelCompiler compiler, bool fp16, params string[] definitions) : IDisposable
{
    public const int Threads = 128;
    public const int SmallestTile = 16;

    private const int Stages = 4;

    // Beyond so many rows a matrix, larger tiles read the weights less often than they waste rows.
    private const int FewRows = 16;
    private const int SomeRows = 96;

    private readonly Dictionary<int, (CudaModule Module, CudaKernel Kernel)> _kernels = new(
        from tile in (int[])[SmallestTile, 64, 128]
        let module = new CudaModule(device, compiler.Compile("matmul_grouped.cu", [$"TOKEN_TILE={tile}", $"ELEM_FP16={(fp16 ? 1 : 0)}", .. definitions]))
        select KeyValuePair.Create(tile, (module, module.Kernel("matmul_grouped", SharedBytes(tile), overlaps: true))));

    /// <summary>Rows of the kernel's tile for so many rows of each matrix, on average.</summary>
    public static int Tile(double rows) => rows <= FewRows ? SmallestTile : rows <= SomeRows ? 64 : 128;

    /// <summary>Tiles along the rows of a weight.</summary>
    public static int OutputTiles(int tile, int weightRows) => (weightRows + OutputTile(tile) - 1) / OutputTile(tile);

    /// <summary>The kernel of a tile, for rows one after the other in <see cref="Threads"/> threads.</summary>
    public CudaKernel Kernel(int tile) => _kernels[tile].Kernel;

    public void Dispose()
    {
        foreach ((CudaModule module, _) in _kernels.Values)
        {
            module.Dispose();
        }
    }

    private static int OutputTile(int tile) => tile == SmallestTile ? 64 : 128;

    private static int SharedBytes(int tile) => Stages * (tile + OutputTile(tile)) * ((tile == SmallestTile ? 64 : 32) + 8) * 2;
}
