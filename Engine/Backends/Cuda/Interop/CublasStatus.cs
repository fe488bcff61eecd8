namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>Result of a cuBLASLt call (cublasStatus_t); 0 is success.</summary>
internal readonly record struct CublasStatus(int Code);
