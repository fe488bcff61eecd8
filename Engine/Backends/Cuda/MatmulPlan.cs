using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>cuBLASLt's descriptors of one shape, and the algorithm chosen for it.</summary>
/// <remarks>Row-major [rows, n] is column-major n × rows: the weight is A, transposed; the input is B; no data is moved.
/// Lives as long as the process; a handful per model.</remarks>
internal sealed unsafe class MatmulPlan
{
    private readonly nint _descriptor;
    private readonly nint _weightLayout;
    private readonly nint _inputLayout;
    private readonly nint _outputLayout;
    private readonly bool _bias;
    private nint _currentBias;

    public MatmulPlan(MatmulShape shape)
    {
        Shape = shape;
        _bias = shape.Bias;
        nint handle;
        CublasLt.DescriptorCreate(&handle, CublasLt.Compute32F, CublasLt.Real32F).Check();
        _descriptor = handle;
        int transpose = 1;
        CublasLt.DescriptorSet(_descriptor, CublasLt.DescriptorTransposeA, &transpose, sizeof(int)).Check();
        if (shape.Bias)
        {
            int epilogue = CublasLt.EpilogueBias;
            CublasLt.DescriptorSet(_descriptor, CublasLt.DescriptorEpilogue, &epilogue, sizeof(int)).Check();
        }

        CublasLt.LayoutCreate(&handle, shape.ElementType, (ulong)shape.Inputs, (ulong)shape.Outputs, shape.Inputs).Check();
        _weightLayout = handle;
        CublasLt.LayoutCreate(&handle, shape.ElementType, (ulong)shape.Inputs, (ulong)shape.Rows, shape.Inputs).Check();
        _inputLayout = handle;
        CublasLt.LayoutCreate(&handle, shape.OutputType, (ulong)shape.Outputs, (ulong)shape.Rows, shape.Outputs).Check();
        _outputLayout = handle;
    }

    public MatmulShape Shape { get; }

    public CublasLt.MatmulAlgorithm Algorithm { get; set; }

    /// <summary>The kernel of ours that was faster than any algorithm of the library, or null.</summary>
    public OwnMatmul? Own { get; set; }

    /// <summary>The kernel that is faster than this one and a kernel for what follows, used only where that follows; or null.</summary>
    public FusedMatmul? Followed { get; set; }

    /// <summary>Up to <paramref name="most"/> algorithms, best guess first.</summary>
    public CublasLt.MatmulCandidate[] Candidates(nint library, long workspaceBytes, int most, nint biasForCheck)
    {
        SetBias(biasForCheck);
        nint preference;
        CublasLt.PreferenceCreate(&preference).Check();
        ulong bytes = (ulong)workspaceBytes;
        CublasLt.PreferenceSet(preference, CublasLt.PreferenceMaxWorkspaceBytes, &bytes, sizeof(ulong)).Check();
        CublasLt.MatmulCandidate[] found = new CublasLt.MatmulCandidate[most];
        int count;
        CublasStatus status;
        fixed (CublasLt.MatmulCandidate* first = found)
        {
            status = CublasLt.GetHeuristic(library, _descriptor, _weightLayout, _inputLayout, _outputLayout, _outputLayout, preference, most, first, &count);
        }

        CublasLt.PreferenceDestroy(preference);
        if (status.Code != 0 || count == 0)
        {
            throw new CudaException(status.Code, $"cuBLASLt has no algorithm for {Shape} (status {status.Code}); outputs and inputs must be multiples of 8.");
        }

        return found[..count];
    }

    /// <summary>Queues the product with the chosen algorithm.</summary>
    /// <param name="share">What stays of the output that is there: 0 to overwrite it, 1 to add to it.</param>
    public CublasStatus Run(nint library, nint input, nint weight, nint bias, nint output, float share, nint workspace, long workspaceBytes, nint stream)
    {
        if (_bias && bias != _currentBias)
        {
            SetBias(bias);
        }

        float one = 1;
        CublasLt.MatmulAlgorithm algorithm = Algorithm;
        return CublasLt.Matmul(library, _descriptor, &one, weight, _weightLayout, input, _inputLayout, &share, output, _outputLayout, output, _outputLayout,
            &algorithm, workspace, (nuint)workspaceBytes, stream);
    }

    private void SetBias(nint bias)
    {
        if (_bias)
        {
            CublasLt.DescriptorSet(_descriptor, CublasLt.DescriptorBiasPointer, &bias, (nuint)sizeof(nint)).Check();
            _currentBias = bias;
        }
    }
}
