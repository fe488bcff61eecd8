using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Compiles the embedded .cu files for one architecture and keeps the machine code on disk, by hash of all that went into it.</summary>
/// <param name="architecture">NVRTC's --gpu-architecture, such as sm_90a.</param>
/// <param name="cacheFolder">Where machine code is kept; null keeps none.</param>
/// <param name="report">Told the name of each kernel file that is being compiled.</param>
internal sealed unsafe class KernelCompiler(string architecture, string? cacheFolder, Action<string>? report = null)
{
    private static readonly string[] Headers = ["fused_product.cuh", "primitives.cuh", "hopper.cuh", "activations.cuh", "kv_cache.cuh", "row_scale.cuh"];

    /// <summary>Folder that FASTGEN_CACHE names, else the user's cache folder.</summary>
    public static string DefaultCacheFolder
    {
        get
        {
            string? chosen = Environment.GetEnvironmentVariable("FASTGEN_CACHE");
            if (!string.IsNullOrEmpty(chosen))
            {
                return chosen;
            }

            string? xdg = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            string root = !string.IsNullOrEmpty(xdg) ? xdg : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(root, "fastgen");
        }
    }

    /// <summary>Names of the embedded kernel files.</summary>
    public static IReadOnlyList<string> Files { get; } =
        [.. typeof(KernelCompiler).Assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith("Kernels/", StringComparison.Ordinal) && n.EndsWith(".cu", StringComparison.Ordinal))
            .Select(n => n["Kernels/".Length..]).Order(StringComparer.Ordinal)];

    /// <summary>Machine code (cubin) of a kernel file.</summary>
    /// <param name="file">Name of an embedded file, such as elementwise.cu.</param>
    /// <param name="definitions">Macros, NAME=VALUE.</param>
    /// <exception cref="CudaException">NVRTC is missing or reports an error; the message holds its log.</exception>
    public byte[] Compile(string file, params IReadOnlyList<string> definitions)
    {
        string source = Source(file);
        string[] options = [$"--gpu-architecture={architecture}", "--std=c++17", "-default-device", .. definitions.Select(d => "-D" + d)];
        int major, minor;
        if (cacheFolder is null)
        {
            return Build(file, source, options);
        }

        CudaLibraries.Load(CudaLibraries.CompilerName);
        Nvrtc.Version(&major, &minor).Check();
        string key = $"{major}.{minor}\n{string.Join('\n', options)}\n{source}";
        string name = $"{Path.GetFileNameWithoutExtension(file)}-{architecture}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..24]}.cubin";
        string path = Path.Combine(cacheFolder, "kernels", name);
        try
        {
            if (File.Exists(path) && File.ReadAllBytes(path) is { Length: > 0 } kept)
            {
                return kept;
            }
        }
        catch (IOException)
        {
            // An unreadable cache entry is made anew.
        }

        report?.Invoke(file);
        byte[] code = Build(file, source, options);
        Keep(path, code);
        return code;
    }

    /// <summary>NVRTC's log of a compilation with the assembler's report of registers and spills.</summary>
    public string Report(string file, params IReadOnlyList<string> definitions)
    {
        string source = Source(file);
        string[] options = [$"--gpu-architecture={architecture}", "--std=c++17", "-default-device", "--ptxas-options=-v", .. definitions.Select(d => "-D" + d)];
        Build(file, source, options, out string log);
        return log;
    }

    private static void Keep(string path, byte[] code)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            string partial = $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}";
            File.WriteAllBytes(partial, code);
            File.Move(partial, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without a writable cache the next start compiles again.
        }
    }

    private static byte[] Build(string file, string source, string[] options) => Build(file, source, options, out _);

    private static byte[] Build(string file, string source, string[] options, out string log)
    {
        CudaLibraries.Load(CudaLibraries.CompilerName);
        nint program;
        byte[] text = Encoding.UTF8.GetBytes(source + "\0"), name = Encoding.UTF8.GetBytes(file + "\0");
        fixed (byte* textPointer = text, namePointer = name)
        {
            Nvrtc.CreateProgram(&program, textPointer, namePointer, 0, null, null).Check();
        }

        byte** arguments = stackalloc byte*[options.Length];
        try
        {
            for (int i = 0; i < options.Length; i++)
            {
                arguments[i] = (byte*)System.Runtime.InteropServices.Marshal.StringToCoTaskMemUTF8(options[i]);
            }

            NvrtcStatus status = Nvrtc.CompileProgram(program, options.Length, arguments);
            nuint size;
            Nvrtc.GetProgramLogSize(program, &size).Check();
            byte[] bytes = new byte[Math.Max((int)size, 1)];
            fixed (byte* p = bytes)
            {
                Nvrtc.GetProgramLog(program, p).Check();
            }

            log = Encoding.UTF8.GetString(bytes).TrimEnd('\0', '\n');
            if (status.Code != 0)
            {
                throw new CudaException(status.Code, $"NVRTC could not compile {file} with {string.Join(' ', options)}:\n{log}");
            }

            Nvrtc.GetCubinSize(program, &size).Check();
            byte[] code = new byte[(int)size];
            fixed (byte* p = code)
            {
                Nvrtc.GetCubin(program, p).Check();
            }

            return code;
        }
        finally
        {
            for (int i = 0; i < options.Length; i++)
            {
                System.Runtime.InteropServices.Marshal.FreeCoTaskMem((nint)arguments[i]);
            }

            Nvrtc.DestroyProgram(&program);
        }
    }

    /// <summary>A kernel file with its headers put in place, as NVRTC has no folder to look in.</summary>
    private static string Source(string file)
    {
        string source = Read(file);
        foreach (string header in Headers)
        {
            source = source.Replace($"#include \"{header}\"", Read(header).Replace("#pragma once", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }

        return source;
    }

    private static string Read(string file)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("Kernels/" + file)
            ?? throw new CudaException($"Kernel file {file} is not embedded in the engine.");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
