namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>Result of a CUDA driver call (CUresult); 0 is success.</summary>
internal readonly record struct CudaStatus(int Code)
{
    /// <summary>CUDA_ERROR_OUT_OF_MEMORY.</summary>
    public bool IsOutOfMemory => Code == 2;
}
