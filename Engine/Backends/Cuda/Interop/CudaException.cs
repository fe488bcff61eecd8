namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>A CUDA library could not be found or a call into one failed.</summary>
public sealed class CudaException : Exception
{
    public CudaException(string message)
        : base(message)
    {
    }

    public CudaException(int code, string message)
        : base(message) => Code = code;

    public CudaException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>The library's own result code; 0 when no call was made.</summary>
    public int Code { get; }
}
