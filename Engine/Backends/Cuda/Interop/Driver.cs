using System.Runtime.InteropServices;

namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>The part of the CUDA driver API (libcuda) that the backend calls. Names are the driver's without "cu".</summary>
/// <remarks>Pointers are device addresses (CUdeviceptr) unless said otherwise. Source: CUDA driver API reference 12 and 13.</remarks>
internal static unsafe partial class Driver
{
    private const string Library = CudaLibraries.DriverName;

    [LibraryImport(Library, EntryPoint = "cuInit")]
    public static partial CudaStatus Init(uint flags);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetCount")]
    public static partial CudaStatus DeviceGetCount(int* count);

    [LibraryImport(Library, EntryPoint = "cuDeviceGet")]
    public static partial CudaStatus DeviceGet(int* device, int ordinal);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetName")]
    public static partial CudaStatus DeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetAttribute")]
    public static partial CudaStatus DeviceGetAttribute(int* value, int attribute, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRetain")]
    public static partial CudaStatus PrimaryContextRetain(nint* context, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    public static partial CudaStatus PrimaryContextRelease(int device);

    [LibraryImport(Library, EntryPoint = "cuCtxSetCurrent")]
    public static partial CudaStatus ContextSetCurrent(nint context);

    [LibraryImport(Library, EntryPoint = "cuCtxSynchronize")]
    public static partial CudaStatus ContextSynchronize();

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    public static partial CudaStatus MemoryGetInfo(nuint* free, nuint* total);

    [LibraryImport(Library, EntryPoint = "cuMemAlloc_v2")]
    public static partial CudaStatus MemoryAllocate(nint* address, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cuMemFree_v2")]
    public static partial CudaStatus MemoryFree(nint address);

    [LibraryImport(Library, EntryPoint = "cuMemHostAlloc")]
    public static partial CudaStatus HostAllocate(void** pointer, nuint bytes, uint flags);

    [LibraryImport(Library, EntryPoint = "cuMemFreeHost")]
    public static partial CudaStatus HostFree(void* pointer);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoDAsync_v2")]
    public static partial CudaStatus CopyToDeviceAsync(nint destination, void* source, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoHAsync_v2")]
    public static partial CudaStatus CopyToHostAsync(void* destination, nint source, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoDAsync_v2")]
    public static partial CudaStatus CopyOnDeviceAsync(nint destination, nint source, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemsetD8Async")]
    public static partial CudaStatus FillAsync(nint destination, byte value, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamCreate")]
    public static partial CudaStatus StreamCreate(nint* stream, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    public static partial CudaStatus StreamDestroy(nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamSynchronize")]
    public static partial CudaStatus StreamSynchronize(nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
    public static partial CudaStatus StreamBeginCapture(nint stream, int mode);

    [LibraryImport(Library, EntryPoint = "cuStreamEndCapture")]
    public static partial CudaStatus StreamEndCapture(nint stream, nint* graph);

    [LibraryImport(Library, EntryPoint = "cuGraphInstantiateWithFlags")]
    public static partial CudaStatus GraphInstantiate(nint* executable, nint graph, ulong flags);

    [LibraryImport(Library, EntryPoint = "cuGraphLaunch")]
    public static partial CudaStatus GraphLaunch(nint executable, nint stream);

    [LibraryImport(Library, EntryPoint = "cuGraphDestroy")]
    public static partial CudaStatus GraphDestroy(nint graph);

    [LibraryImport(Library, EntryPoint = "cuGraphExecDestroy")]
    public static partial CudaStatus GraphExecutableDestroy(nint executable);

    [LibraryImport(Library, EntryPoint = "cuEventCreate")]
    public static partial CudaStatus EventCreate(nint* @event, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    public static partial CudaStatus EventDestroy(nint @event);

    [LibraryImport(Library, EntryPoint = "cuEventRecord")]
    public static partial CudaStatus EventRecord(nint @event, nint stream);

    [LibraryImport(Library, EntryPoint = "cuEventSynchronize")]
    public static partial CudaStatus EventSynchronize(nint @event);

    [LibraryImport(Library, EntryPoint = "cuEventElapsedTime")]
    public static partial CudaStatus EventElapsedTime(float* milliseconds, nint start, nint end);

    [LibraryImport(Library, EntryPoint = "cuModuleLoadData")]
    public static partial CudaStatus ModuleLoadData(nint* module, void* image);

    [LibraryImport(Library, EntryPoint = "cuModuleUnload")]
    public static partial CudaStatus ModuleUnload(nint module);

    [LibraryImport(Library, EntryPoint = "cuModuleGetFunction", StringMarshalling = StringMarshalling.Utf8)]
    public static partial CudaStatus ModuleGetFunction(nint* function, nint module, string name);

    [LibraryImport(Library, EntryPoint = "cuFuncSetAttribute")]
    public static partial CudaStatus FunctionSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library, EntryPoint = "cuLaunchKernel")]
    public static partial CudaStatus LaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ,
        uint sharedBytes, nint stream, void** parameters, void** extra);

    [LibraryImport(Library, EntryPoint = "cuLaunchKernelEx")]
    public static partial CudaStatus LaunchKernelEx(LaunchConfig* config, nint function, void** parameters, void** extra);

    [LibraryImport(Library, EntryPoint = "cuOccupancyMaxActiveClusters")]
    public static partial CudaStatus OccupancyMaxActiveClusters(int* count, nint function, LaunchConfig* config);

    [LibraryImport(Library, EntryPoint = "cuTensorMapEncodeTiled")]
    public static partial CudaStatus TensorMapEncodeTiled(void* map, int dataType, uint rank, void* address, ulong* dimensions, ulong* strides,
        uint* box, uint* elementStrides, int interleave, int swizzle, int l2Promotion, int outOfBoundsFill);

    [LibraryImport(Library, EntryPoint = "cuGetErrorString")]
    private static partial CudaStatus GetErrorString(CudaStatus status, byte** text);

    [LibraryImport(Library, EntryPoint = "cuGetErrorName")]
    private static partial CudaStatus GetErrorName(CudaStatus status, byte** text);

    /// <summary>The driver's own name and text of a status.</summary>
    public static string Describe(CudaStatus status)
    {
        byte* name = null, text = null;
        GetErrorName(status, &name);
        GetErrorString(status, &text);
        return $"{Marshal.PtrToStringUTF8((nint)name)}: {Marshal.PtrToStringUTF8((nint)text)}";
    }

    /// <summary>CUlaunchConfig.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct LaunchConfig
    {
        public uint GridX;
        public uint GridY;
        public uint GridZ;
        public uint BlockX;
        public uint BlockY;
        public uint BlockZ;
        public uint SharedBytes;
        public nint Stream;
        public LaunchAttribute* Attributes;
        public uint AttributeCount;
    }

    /// <summary>CUlaunchAttribute with up to three integers.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 72)]
    public struct LaunchAttribute
    {
        /// <summary>CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION: the kernel may start before the one before it has ended.</summary>
        public const int ProgrammaticStreamSerialization = 6;

        /// <summary>CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION: CTAs of a cluster in x, y and z.</summary>
        public const int ClusterDimension = 4;

        public int Id;
        private readonly int _pad;
        public int Value;
        public int SecondValue;
        public int ThirdValue;
    }
}
