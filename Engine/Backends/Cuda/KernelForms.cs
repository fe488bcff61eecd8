namespace Fastgen.Engine.Backends.Cuda;

/// <summary>The kernel of one file in the forms that were asked for, compiled and loaded once each.</summary>
/// <param name="name">Of the kernel, and of its file without the ending.</param>
internal sealed class KernelForms<TForm>(CudaDevice device, KernelCompiler compiler, string name) : IDisposable
    where TForm : struct
{
    private readonly Dictionary<TForm, (CudaModule Module, CudaKernel Kernel)> _loaded = [];

    /// <summary>Whether the form is loaded, and its kernel. Allocates nothing.</summary>
    public bool TryGet(TForm form, out CudaKernel kernel)
    {
        bool found = _loaded.TryGetValue(form, out (CudaModule Module, CudaKernel Kernel) loaded);
        kernel = loaded.Kernel;
        return found;
    }

    /// <summary>Compiles and loads a form. All kernels of ours that come in forms may start while the kernel before them ends.</summary>
    public CudaKernel Add(TForm form, int sharedBytes, params IReadOnlyList<string> definitions)
    {
        CudaModule module = new(device, compiler.Compile(name + ".cu", definitions));
        CudaKernel kernel = module.Kernel(name, sharedBytes, overlaps: true);
        _loaded[form] = (module, kernel);
        return kernel;
    }

    public void Dispose()
    {
        foreach ((CudaModule module, _) in _loaded.Values)
        {
            module.Dispose();
        }
    }
}
