using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Products of up to 32 rows on Hopper: the inputs stay in registers, the weights pass through once, and norm, activation, rotation and sums are done in passing.</summary>
/// <remarks>A group of CTAs (cluster) holds all inputs of all rows between them, so no output is cut apart and nothing is put together in memory.</remarks>
internal sealed unsafe class StationaryMatmul(CudaDevice device, KernelCompiler compiler, int headDim) : FusedMatmul(headDim)
{
    /// <summary>Most rows: the inputs of more do not fit the registers of a cluster.</summary>
    public const int MaxRows = 32;

    private const int Threads = 640;
    private const int Warps = 16;
    private const int MaxCluster = 8;
    private const int Buffers = 4;
    private const int Places = 4;

    // Of the next product's weights, what each CTA asks the L2 cache for at its end. On an H200 the products of a decode layer of Mistral-7B take 1.5 µs less with 8 rows
    // and 4.5 less with 16; twice as much gives the same. With attention between the layers no difference was seen.
    private const int BytesAhead = 16 * 1024;

    private readonly KernelForms<Form> _kernels = new(device, compiler, "matmul_stationary_hopper");
    private readonly Dictionary<Form, int> _clusters = [];

    public override string Name => "stationary9";

    public override bool TakesNorm => true;

    /// <summary>The kernel needs clusters and is tuned for the registers of this one architecture.</summary>
    public static bool RunsOn(CudaDevice device) => device.ComputeCapability == 90;

    public override bool Accepts(MatmulShape shape) => shape.Rows <= MaxRows && Layout.For(shape.Rows, shape.Inputs) is not null;

    /// <remarks>Above 16 rows it is worth having only for what it does after the product: decode of 32 sequences with Mistral-7B gave 6,008 tokens/s with it before
    /// rotation and activation, 5,928 before rotation alone, 5,813 with it in the output projection besides, 5,778 without it.</remarks>
    public override bool Competes(MatmulShape shape, ProductEpilogue after) => shape.Rows <= 16 || after is ProductEpilogue.RotateAndStore or ProductEpilogue.SiluMul;

    public override bool Supports(ProductEpilogue after, in MatmulShape shape) => after != ProductEpilogue.SiluMul || shape.Outputs % 2 == 0;

    public override void Run(in FusedProduct product)
    {
        FusedProduct p = product;
        MatmulShape shape = p.Shape;
        (CudaKernel kernel, Layout layout, int clusters) = Kernel(shape, p.Norm, p.After);
        int units = (((shape.Outputs + 1) / 2) + 3) / 4, grid = Math.Min(units, clusters) * layout.Cluster;
        nint next = 0, half = 0;
        if (p.Next is { } following && following.ByteCount >= (long)grid * BytesAhead)
        {
            next = following.Matrix;
            half = next + (nint)(following.Gated ? following.ByteCount / 2 : (long)grid * BytesAhead / 2);
        }

        kernel.Launch(device.Stream, grid, 1, Threads,
            p.Output, p.Input, p.Weight, p.Bias, shape.Rows, shape.Outputs, shape.Inputs, shape.OutputType == CublasLt.Real32F ? 1 : 0, p.NormWeight, p.Epsilon,
            p.Rotary.Keys, p.Rotary.Values, p.Rotary.CosSin, p.Rotary.Positions, p.Rotary.Slots, p.Rotary.Heads, p.Rotary.KeyValueHeads,
            next, half, next == 0 ? 0 : BytesAhead / (2 * Warps));
    }

    public override void Load(in MatmulShape shape, InputNorm norm, ProductEpilogue after) => Kernel(shape, norm, after);

    public override void Dispose() => _kernels.Dispose();

    private (CudaKernel Kernel, Layout Layout, int Clusters) Kernel(in MatmulShape shape, InputNorm norm, ProductEpilogue after)
    {
        bool fp16 = shape.ElementType == CublasLt.Real16F;
        Layout layout = Layout.For(shape.Rows, shape.Inputs)!.Value;
        Form form = new(layout, fp16, norm, after);
        if (!_kernels.TryGet(form, out CudaKernel kernel))
        {
            kernel = _kernels.Add(form, layout.SharedBytes, [.. layout.Definitions, $"NORM={(int)norm}", $"EPILOGUE={(int)after}",
                $"HEAD_DIM={HeadDim}", $"BLOCK_SIZE={BlockSize}", $"ELEM_FP16={(fp16 ? 1 : 0)}"]);
            _clusters[form] = kernel.ActiveClusters(layout.Cluster, Threads);
        }

        return (kernel, layout, _clusters[form]);
    }

    /// <summary>How the inputs are divided; the names are the kernel's.</summary>
    /// <param name="Octets">Groups of 8 rows.</param>
    /// <param name="Chunks">Pieces of the inputs that a warp holds, each of 64 with one octet and 32 with more.</param>
    /// <param name="SharedChunks">Those of them that are kept in shared memory.</param>
    /// <param name="Cluster">CTAs that hold all inputs between them.</param>
    /// <param name="Depth">Loads of a warp on their way.</param>
    internal readonly record struct Layout(int Octets, int Chunks, int SharedChunks, int Cluster, int Depth)
    {
        // Registers are 104 a thread: 32 for loads on their way (16 with 32 rows) and 32 for inputs (64 with 32 rows).
        private const int MostLoads = 8;
        private const int MostChunks = 8;

        public string[] Definitions => [$"OCTETS={Octets}", $"CHUNKS={Chunks}", $"SHARED_CHUNKS={SharedChunks}", $"CLUSTER={Cluster}", $"DEPTH={Depth}"];

        public int SharedBytes => (SharedChunks * Pieces * Warps * 512) + (((Buffers * Octets * Warps) + (Cluster > 1 ? Places * Octets * Cluster : 0)) * 256);

        private int Pieces => Math.Max(2, Octets);

        /// <summary>The division with the fewest CTAs, or null for more inputs than 8 CTAs hold.</summary>
        public static Layout? For(int rows, int inputs)
        {
            int octets = rows <= 8 ? 1 : rows <= 16 ? 2 : 4, chunk = octets == 1 ? 64 : 32, most = octets == 4 ? 4 : MostChunks, kept = octets == 4 ? most : 4;
            for (int cluster = 1; cluster <= MaxCluster; cluster *= 2)
            {
                int chunks = (inputs + (chunk * Warps * cluster) - 1) / (chunk * Warps * cluster);
                if (chunks <= most)
                {
                    return new Layout(octets, chunks, Math.Max(0, chunks - kept), cluster, DepthFor(octets == 1 ? 2 * chunks : chunks, octets > 1 && chunks <= 4 ? chunks : MostLoads));
                }
            }

            return null;
        }

        /// <summary>A multiple of a unit's loads, or a divisor, so that each unit finds the ring where the last one did.</summary>
        private static int DepthFor(int loads, int most)
        {
            if (loads <= most)
            {
                return most / loads * loads;
            }

            int depth = most;
            while (loads % depth != 0)
            {
                depth--;
            }

            return depth;
        }
    }

    private readonly record struct Form(Layout Layout, bool Fp16, InputNorm Norm, ProductEpilogue After);
}
