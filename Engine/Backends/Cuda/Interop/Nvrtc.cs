using System.Runtime.InteropServices;

namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>The run-time compiler for CUDA C++ (libnvrtc). Names are the library's without "nvrtc".</summary>
internal static unsafe partial class Nvrtc
{
    private const string Library = CudaLibraries.CompilerName;

    [LibraryImport(Library, EntryPoint = "nvrtcVersion")]
    public static partial NvrtcStatus Version(int* major, int* minor);

    [LibraryImport(Library, EntryPoint = "nvrtcGetErrorString")]
    public static partial nint GetErrorString(NvrtcStatus status);

    [LibraryImport(Library, EntryPoint = "nvrtcCreateProgram")]
    public static partial NvrtcStatus CreateProgram(nint* program, byte* source, byte* name, int headerCount, byte** headers, byte** includeNames);

    [LibraryImport(Library, EntryPoint = "nvrtcDestroyProgram")]
    public static partial NvrtcStatus DestroyProgram(nint* program);

    [LibraryImport(Library, EntryPoint = "nvrtcCompileProgram")]
    public static partial NvrtcStatus CompileProgram(nint program, int optionCount, byte** options);

    [LibraryImport(Library, EntryPoint = "nvrtcGetCUBINSize")]
    public static partial NvrtcStatus GetCubinSize(nint program, nuint* size);

    [LibraryImport(Library, EntryPoint = "nvrtcGetCUBIN")]
    public static partial NvrtcStatus GetCubin(nint program, byte* cubin);

    [LibraryImport(Library, EntryPoint = "nvrtcGetProgramLogSize")]
    public static partial NvrtcStatus GetProgramLogSize(nint program, nuint* size);

    [LibraryImport(Library, EntryPoint = "nvrtcGetProgramLog")]
    public static partial NvrtcStatus GetProgramLog(nint program, byte* log);
}
