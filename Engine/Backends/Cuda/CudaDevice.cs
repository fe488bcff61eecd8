using System.Text;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>One GPU: its primary context, the stream that all steps run on, and what it can do.</summary>
internal sealed unsafe class CudaDevice : IDisposable
{
    private const int AttributeMultiprocessors = 16;
    private const int AttributeMajor = 75;
    private const int AttributeMinor = 76;
    private const int AttributeSharedPerBlock = 97;

    private readonly int _device;
    private bool _disposed;

    private CudaDevice(int ordinal, int device)
    {
        Ordinal = ordinal;
        _device = device;
        nint context;
        Driver.PrimaryContextRetain(&context, device).Check();
        Context = context;
        MakeCurrent();
        byte* name = stackalloc byte[256];
        Driver.DeviceGetName(name, 256, device).Check();
        Name = Encoding.UTF8.GetString(System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name));
        Multiprocessors = Attribute(AttributeMultiprocessors);
        ComputeCapability = (Attribute(AttributeMajor) * 10) + Attribute(AttributeMinor);
        MaxSharedBytesPerBlock = Attribute(AttributeSharedPerBlock);
        nint stream;
        Driver.StreamCreate(&stream, 1).Check();
        Stream = stream;
    }

    /// <summary>Index among the devices that CUDA_VISIBLE_DEVICES leaves.</summary>
    public int Ordinal { get; }

    public string Name { get; }

    public nint Context { get; }

    /// <summary>Non-blocking stream of the step loop.</summary>
    public nint Stream { get; }

    public int Multiprocessors { get; }

    /// <summary>Major × 10 + minor, such as 90.</summary>
    public int ComputeCapability { get; }

    public int MaxSharedBytesPerBlock { get; }

    /// <summary>Value of NVRTC's --gpu-architecture: with the architecture-specific instructions where we use them.</summary>
    public string Architecture => ComputeCapability == 90 ? "sm_90a" : $"sm_{ComputeCapability}";

    /// <summary>How many devices there are; 0 with a reason when CUDA cannot be used here.</summary>
    public static int Count(out string? reason)
    {
        if (!CudaLibraries.TryLoad(CudaLibraries.DriverName, out _))
        {
            reason = "no NVIDIA driver (libcuda) was found";
            return 0;
        }

        CudaStatus status = Driver.Init(0);
        int count = 0;
        if (status.Code == 0)
        {
            status = Driver.DeviceGetCount(&count);
        }

        reason = status.Code != 0 ? $"the NVIDIA driver says {Driver.Describe(status)}" : count == 0 ? "the NVIDIA driver shows no GPU" : null;
        return status.Code == 0 ? count : 0;
    }

    /// <summary>Opens a device and makes it current on this thread.</summary>
    /// <exception cref="CudaException">No such device, too old, or no driver.</exception>
    public static CudaDevice Open(int ordinal)
    {
        CudaLibraries.Load(CudaLibraries.DriverName);
        int count = Count(out string? reason);
        if (ordinal < 0 || ordinal >= count)
        {
            throw new CudaException($"CUDA device {ordinal} was asked for but {(count == 0 ? reason : $"there are {count}")}; choose one below {count} or the CPU backend.");
        }

        int device;
        Driver.DeviceGet(&device, ordinal).Check();
        CudaDevice opened = new(ordinal, device);
        if (opened.ComputeCapability < 80)
        {
            string name = opened.Name;
            int capability = opened.ComputeCapability;
            opened.Dispose();
            throw new CudaException($"{name} has compute capability {capability / 10}.{capability % 10}; the kernels need 8.0 or later. Use the CPU backend.");
        }

        return opened;
    }

    /// <summary>Contexts belong to threads: call this first on every thread that uses the device.</summary>
    public void MakeCurrent() => Driver.ContextSetCurrent(Context).Check();

    /// <summary>Free and total bytes of device memory.</summary>
    public (long Free, long Total) Memory()
    {
        MakeCurrent();
        nuint free, total;
        Driver.MemoryGetInfo(&free, &total).Check();
        return ((long)free, (long)total);
    }

    public void Synchronize() => Driver.StreamSynchronize(Stream).Check();

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        MakeCurrent();
        Driver.StreamDestroy(Stream);
        Driver.PrimaryContextRelease(_device);
    }

    private int Attribute(int attribute)
    {
        int value;
        Driver.DeviceGetAttribute(&value, attribute, _device).Check();
        return value;
    }
}
