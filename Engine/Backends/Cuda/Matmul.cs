using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Matrix products: each shape with the fastest of cuBLASLt's candidates and our own kernel, timed once and kept on disk.</summary>
/// <remarks>Not thread-safe: the step thread owns it. Row counts that were tuned are exact; others take the algorithm of the next
/// tuned count above, or the library's first guess where that does not apply.</remarks>
internal sealed unsafe partial class Matmul : IDisposable
{
    /// <summary>cuBLAS asks for 32 MiB on Hopper; the same serves older devices.</summary>
    public const long WorkspaceBytes = 64L << 20;

    private readonly CudaDevice _device;
    private readonly nint _library;
    private readonly DeviceBuffer _workspace;
    private readonly Dictionary<MatmulShape, MatmulPlan> _plans = [];
    private readonly OwnMatmul[] _own;
    private readonly FusedMatmul[] _onlyFollowed;

    /// <param name="headDim">Dimensions of a head, for products that rotate queries and keys in passing.</param>
    public Matmul(CudaDevice device, KernelCompiler compiler, string? cacheFolder, int headDim = 128)
    {
        CudaLibraries.Load(CudaLibraries.MatrixName);
        _device = device;
        _own =
        [
            new VectorMatmul(device, compiler, headDim),
            StationaryMatmul.RunsOn(device) ? new StationaryMatmul(device, compiler, headDim) : new StreamMatmul(device, compiler),
            new SkinnyMatmul(device, compiler),
        ];
        _onlyFollowed = HopperGatedMatmul.RunsOn(device) ? [new HopperGatedMatmul(device, compiler, headDim)] : [];
        nint library;
        CublasLt.Create(&library).Check();
        _library = library;
        _workspace = new DeviceBuffer(device, WorkspaceBytes, "the workspace of matrix products");
        string name = new([.. device.Name.Select(c => char.IsLetterOrDigit(c) ? c : '-')]);
        _cacheFile = cacheFolder is null ? null : Path.Combine(cacheFolder, "matmul", $"{name}-{CublasLt.GetVersion()}-{Generation}.txt");
        _kept = Read(_cacheFile);
    }

    /// <summary>Tells the kernels how many tokens a block of the KV cache has; before the first product.</summary>
    public void SetBlockSize(int blockSize)
    {
        foreach (OwnMatmul own in _own)
        {
            if (own is FusedMatmul fused)
            {
                fused.BlockSize = blockSize;
            }
        }
    }

    /// <summary>The kernel that computes this shape, if it is one that does in passing what stands around a product.</summary>
    public FusedMatmul? Fused(MatmulShape shape, nint bias) => Plan(shape, bias).Own as FusedMatmul;

    /// <summary>The kernel for this shape where <paramref name="after"/> follows, or null where that has a kernel of its own.</summary>
    public FusedMatmul? Followed(MatmulShape shape, nint bias, ProductEpilogue after)
    {
        MatmulPlan plan = Plan(shape, bias);
        return plan.Own is FusedMatmul fused && fused.Supports(after, shape) ? fused
            : plan.Followed is { } followed && followed.Supports(after, shape) ? followed : null;
    }

    /// <summary>output[rows, outputs] = input × weightᵀ (+ bias).</summary>
    public void Run(MatmulShape shape, nint input, nint weight, nint bias, nint output)
    {
        MatmulPlan plan = Plan(shape, bias);
        if (plan.Own is { } own)
        {
            own.Run(shape, input, weight, bias, output);
            return;
        }

        RunLibraryOrFirstGuess(plan, input, weight, bias, output, share: 0);
    }

    /// <summary>Whether the library computes this shape, so that <see cref="RunAdding"/> may.</summary>
    public bool IsOfLibrary(MatmulShape shape, nint bias) => Plan(shape, bias).Own is null;

    /// <summary>output[rows, outputs] += input × weightᵀ (+ bias), by the library.</summary>
    public void RunAdding(MatmulShape shape, nint input, nint weight, nint bias, nint output) =>
        RunLibraryOrFirstGuess(Plan(shape, bias), input, weight, bias, output, share: 1);

    public void Dispose()
    {
        _workspace.Dispose();
        foreach (OwnMatmul own in _own.Concat(_onlyFollowed))
        {
            own.Dispose();
        }

        CublasLt.Destroy(_library);
    }

    private void RunLibraryOrFirstGuess(MatmulPlan plan, nint input, nint weight, nint bias, nint output, float share)
    {
        if (RunLibrary(plan, input, weight, bias, output, share).Code != 0)
        {
            // An algorithm borrowed from another row count may not apply: ask the library for this one.
            plan.Algorithm = plan.Candidates(_library, WorkspaceBytes, 1, bias)[0].Algorithm;
            RunLibrary(plan, input, weight, bias, output, share).Check();
        }
    }

    private CublasStatus RunLibrary(MatmulPlan plan, nint input, nint weight, nint bias, nint output, float share) =>
        plan.Run(_library, input, weight, bias, output, share, _workspace.Address, WorkspaceBytes, _device.Stream);

    private MatmulPlan Plan(MatmulShape shape, nint bias)
    {
        if (_plans.TryGetValue(shape, out MatmulPlan? plan))
        {
            return plan;
        }

        plan = new MatmulPlan(shape);
        MatmulPlan? above = null;
        foreach (MatmulPlan other in _plans.Values)
        {
            if (other.Shape.Rows > shape.Rows && other.Shape with { Rows = shape.Rows } == shape && (above is null || other.Shape.Rows < above.Shape.Rows))
            {
                above = other;
            }
        }

        if (above?.Own is { } own && own.Accepts(shape))
        {
            plan.Own = own;
        }
        else
        {
            // A plan with a kernel of ours may have no algorithm of the library.
            plan.Algorithm = above is { Own: null } ? above.Algorithm : plan.Candidates(_library, WorkspaceBytes, 1, bias)[0].Algorithm;
        }

        plan.Followed = above?.Followed;
        _plans[shape] = plan;
        return plan;
    }
}
