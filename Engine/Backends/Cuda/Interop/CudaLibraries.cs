using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fastgen.Engine.Backends.Cuda.Interop;

/// <summary>Finds the CUDA libraries on the user's machine; none is shipped.</summary>
/// <remarks>Order: the folder in FASTGEN_CUDA_PATH, the loader's own path, CUDA_HOME / CUDA_PATH and /usr/local/cuda, Python's nvidia
/// wheels (site-packages of VIRTUAL_ENV, CONDA_PREFIX and the usual places), beside the application. CUDA 13 is tried before 12.</remarks>
internal static class CudaLibraries
{
    public const string DriverName = "fastgen-cuda-driver";
    public const string CompilerName = "fastgen-nvrtc";
    public const string MatrixName = "fastgen-cublaslt";

    private static readonly Dictionary<string, string[]> FileNames = new(StringComparer.Ordinal)
    {
        [DriverName] = OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1", "libcuda.so"],
        [CompilerName] = OperatingSystem.IsWindows() ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"] : ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
        [MatrixName] = OperatingSystem.IsWindows() ? ["cublasLt64_13.dll", "cublasLt64_12.dll"] : ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"],
    };

    private static readonly Lazy<List<string>> Folders = new(() => [.. CandidateFolders().Where(Directory.Exists).Distinct(StringComparer.Ordinal)]);

    /// <summary>Loads a library, or says where it was looked for.</summary>
    /// <exception cref="CudaException">Not found; the message lists the names and folders tried and what to install or set.</exception>
    public static nint Load(string library)
    {
        if (TryLoad(library, out nint handle))
        {
            return handle;
        }

        string wanted = library switch
        {
            DriverName => "the NVIDIA driver (libcuda)",
            CompilerName => "the CUDA run-time compiler (libnvrtc)",
            _ => "cuBLASLt (libcublasLt)",
        };
        throw new CudaException(
            $"Cannot find {wanted}: looked for {string.Join(", ", FileNames[library])} on the loader's path and in "
            + $"{(Folders.Value.Count == 0 ? "no further folder (none of the usual ones exists)" : string.Join(", ", Folders.Value))}. "
            + "Install the NVIDIA driver and CUDA 12 or 13 (or Python's nvidia-cuda-nvrtc and nvidia-cublas wheels), "
            + "set FASTGEN_CUDA_PATH to the folder that holds it, or choose the CPU backend.");
    }

    /// <summary>True when the library is here.</summary>
    public static bool TryLoad(string library, out nint handle)
    {
        string[] names = FileNames[library];
        string? chosen = Environment.GetEnvironmentVariable("FASTGEN_CUDA_PATH");
        if (!string.IsNullOrEmpty(chosen) && TryFolder(chosen, names, out handle))
        {
            return true;
        }

        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out handle))
            {
                return true;
            }
        }

        foreach (string folder in Folders.Value)
        {
            if (TryFolder(folder, names, out handle))
            {
                return true;
            }
        }

        handle = 0;
        return false;
    }

    /// <summary>Binds the names of the imports above to the libraries found.</summary>
    // CA2255: the resolver must stand before the first import of this assembly is called, whoever calls it.
#pragma warning disable CA2255
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register()
        => NativeLibrary.SetDllImportResolver(typeof(CudaLibraries).Assembly, Resolve);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
        => FileNames.ContainsKey(name) ? Load(name) : 0;

    private static bool TryFolder(string folder, string[] names, out nint handle)
    {
        foreach (string name in names)
        {
            string file = Path.Combine(folder, name);
            if (File.Exists(file) && NativeLibrary.TryLoad(file, out handle))
            {
                LoadCompanions(folder, name);
                return true;
            }
        }

        handle = 0;
        return false;
    }

    /// <summary>The compiler opens a second library by bare name when it first compiles; outside the loader's path it finds it only if it is loaded already.</summary>
    private static void LoadCompanions(string folder, string name)
    {
        if (name.Contains("nvrtc", StringComparison.Ordinal))
        {
            foreach (string companion in Directory.GetFiles(folder, OperatingSystem.IsWindows() ? "nvrtc-builtins*.dll" : "libnvrtc-builtins.so.*"))
            {
                NativeLibrary.TryLoad(companion, out _);
            }
        }
    }

    private static IEnumerable<string> CandidateFolders()
    {
        string[] roots = [Environment.GetEnvironmentVariable("CUDA_HOME") ?? "", Environment.GetEnvironmentVariable("CUDA_PATH") ?? "", "/usr/local/cuda"];
        foreach (string root in roots.Where(r => r.Length > 0))
        {
            yield return Path.Combine(root, "lib64");
            yield return Path.Combine(root, "lib");
            yield return Path.Combine(root, "bin");
            yield return Path.Combine(root, "targets", "x86_64-linux", "lib");
        }

        foreach (string site in SitePackages())
        {
            string nvidia = Path.Combine(site, "nvidia");
            foreach (string package in new[] { "cu13", "cuda_nvrtc", "cublas" })
            {
                yield return Path.Combine(nvidia, package, "lib");
            }
        }

        yield return AppContext.BaseDirectory;
    }

    private static IEnumerable<string> SitePackages()
    {
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        List<string> roots = [Environment.GetEnvironmentVariable("VIRTUAL_ENV") ?? "", Environment.GetEnvironmentVariable("CONDA_PREFIX") ?? "",
            Path.Combine(home, ".local"), "/usr/local", "/usr"];
        foreach (string root in roots.Where(r => r.Length > 0))
        {
            string lib = Path.Combine(root, "lib");
            string[] versions;
            try
            {
                versions = Directory.Exists(lib) ? Directory.GetDirectories(lib, "python3*") : [];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue;
            }

            foreach (string version in versions)
            {
                yield return Path.Combine(version, "site-packages");
                yield return Path.Combine(version, "dist-packages");
            }
        }
    }
}
