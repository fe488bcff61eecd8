using System.Runtime.InteropServices;

namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>Matrix products of cuBLASLt. Names are the library's without "cublasLt".</summary>
internal static unsafe partial class CublasLt
{
    private const string Library = CudaLibraries.MatrixName;

    public const int Compute32F = 68;
    public const int Real32F = 0;
    public const int Real16F = 2;
    public const int Real16BF = 14;
    public const int DescriptorTransposeA = 3;
    public const int DescriptorEpilogue = 7;
    public const int DescriptorBiasPointer = 8;
    public const int EpilogueBias = 4;
    public const int PreferenceMaxWorkspaceBytes = 1;

    [LibraryImport(Library, EntryPoint = "cublasLtGetVersion")]
    public static partial nuint GetVersion();

    [LibraryImport(Library, EntryPoint = "cublasLtCreate")]
    public static partial CublasStatus Create(nint* handle);

    [LibraryImport(Library, EntryPoint = "cublasLtDestroy")]
    public static partial CublasStatus Destroy(nint handle);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulDescCreate")]
    public static partial CublasStatus DescriptorCreate(nint* descriptor, int computeType, int scaleType);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulDescSetAttribute")]
    public static partial CublasStatus DescriptorSet(nint descriptor, int attribute, void* value, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cublasLtMatrixLayoutCreate")]
    public static partial CublasStatus LayoutCreate(nint* layout, int type, ulong rows, ulong columns, long leadingDimension);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulPreferenceCreate")]
    public static partial CublasStatus PreferenceCreate(nint* preference);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulPreferenceDestroy")]
    public static partial CublasStatus PreferenceDestroy(nint preference);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulPreferenceSetAttribute")]
    public static partial CublasStatus PreferenceSet(nint preference, int attribute, void* value, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmulAlgoGetHeuristic")]
    public static partial CublasStatus GetHeuristic(nint handle, nint descriptor, nint a, nint b, nint c, nint d, nint preference,
        int requested, MatmulCandidate* results, int* returned);

    [LibraryImport(Library, EntryPoint = "cublasLtMatmul")]
    public static partial CublasStatus Matmul(nint handle, nint descriptor, void* alpha, nint a, nint layoutA, nint b, nint layoutB,
        void* beta, nint c, nint layoutC, nint d, nint layoutD, MatmulAlgorithm* algorithm, nint workspace, nuint workspaceBytes, nint stream);

    /// <summary>cublasLtMatmulAlgo_t: opaque, may be stored and used again with the same library and device.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MatmulAlgorithm
    {
        public fixed ulong Data[8];
    }

    /// <summary>cublasLtMatmulHeuristicResult_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MatmulCandidate
    {
        public MatmulAlgorithm Algorithm;
        public nuint WorkspaceBytes;
        public int State;
        public float Waves;
        private fixed int _reserved[4];
    }
}
