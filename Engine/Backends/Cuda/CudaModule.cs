using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Machine code loaded on a device.</summary>
internal sealed unsafe class CudaModule : IDisposable
{
    private readonly CudaDevice _device;
    private nint _module;

    public CudaModule(CudaDevice device, byte[] code)
    {
        _device = device;
        nint module;
        fixed (byte* image = code)
        {
            Driver.ModuleLoadData(&module, image).Check();
        }

        _module = module;
    }

    /// <param name="name">Name of an extern "C" kernel.</param>
    /// <param name="sharedBytes">Dynamic shared memory that every launch gives it.</param>
    /// <param name="overlaps">The kernel calls wait_for_previous, so it may start while the one before it ends (Hopper and later).</param>
    /// <exception cref="CudaException">No such kernel, or more shared memory than the device has.</exception>
    public CudaKernel Kernel(string name, int sharedBytes = 0, bool overlaps = false)
    {
        if (sharedBytes > _device.MaxSharedBytesPerBlock)
        {
            throw new CudaException($"Kernel {name} needs {sharedBytes} bytes of shared memory but {_device.Name} gives a block {_device.MaxSharedBytesPerBlock}.");
        }

        nint function;
        Driver.ModuleGetFunction(&function, _module, name).Check();
        if (sharedBytes > 40 * 1024)                // without it a kernel gets 48 KB, of which some may be its own already
        {
            const int MaxDynamicSharedBytes = 8;
            Driver.FunctionSetAttribute(function, MaxDynamicSharedBytes, sharedBytes).Check();
        }

        return new CudaKernel(function, sharedBytes, overlaps && _device.ComputeCapability >= 90);
    }

    public void Dispose()
    {
        if (_module != 0)
        {
            _device.MakeCurrent();
            Driver.ModuleUnload(_module);
            _module = 0;
        }
    }
}
