namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>Result of an NVRTC call (nvrtcResult); 0 is success.</summary>
internal readonly record struct NvrtcStatus(int Code);
