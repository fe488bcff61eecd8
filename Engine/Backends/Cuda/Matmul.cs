using System.Runtime.InteropServices;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <summary>Matrix products: each shape with the fastest of cuBLASLt's candidates and our own kernel, timed once and kept on disk.</summary>
/// <remarks>Not thread-safe: the step thread owns it. Row counts that were tuned are exact; others take the algorithm of the next
/// tuned count above, or the library's first guess where that does not apply.</remarks>
internal sealed unsafe class Matmul : IDisposable
{
    /// <summary>cuBLAS asks for 32 MiB on Hopper; the same serves older devices.</summary>
    public const long WorkspaceBytes = 64L << 20;

    private const int MostCandidates = 8;

    // Part of the file's name: what older kernels won or lost says nothing about newer ones.
    private const int Generation = 2;

    // What a product that the vector kernel computes saves beside it: a norm, a rotation, an activation or a residual sum in a kernel of its own.
    private const float FusionMilliseconds = 0.002f;

    private readonly CudaDevice _device;
    private readonly nint _library;
    private readonly DeviceBuffer _workspace;
    private readonly Dictionary<MatmulShape, MatmulPlan> _plans = [];
    private readonly OwnMatmul[] _own;
    private readonly Dictionary<string, string> _kept;
    private readonly string? _cacheFile;
    private bool _changed;

    /// <param name="headDim">Dimensions of a head, for products that rotate queries and keys in passing.</param>
    public Matmul(CudaDevice device, KernelCompiler compiler, string? cacheFolder, int headDim = 128)
    {
        CudaLibraries.Load(CudaLibraries.MatrixName);
        _device = device;
        Vector = new VectorMatmul(device, compiler, headDim);
        _own = [Vector, new StreamMatmul(device, compiler), new SkinnyMatmul(device, compiler)];
        nint library;
        CublasLt.Create(&library).Check();
        _library = library;
        _workspace = new DeviceBuffer(device, WorkspaceBytes, "the workspace of matrix products");
        string name = new([.. device.Name.Select(c => char.IsLetterOrDigit(c) ? c : '-')]);
        _cacheFile = cacheFolder is null ? null : Path.Combine(cacheFolder, "matmul", $"{name}-{CublasLt.GetVersion()}-{Generation}.txt");
        _kept = Read(_cacheFile);
    }

    /// <summary>The kernel that can do in passing what stands around a product.</summary>
    public VectorMatmul Vector { get; }

    /// <summary>Whether <see cref="Vector"/> computes this shape.</summary>
    public bool IsVector(MatmulShape shape, nint bias) => ReferenceEquals(Plan(shape, bias).Own, Vector);

    /// <summary>output[rows, outputs] = input × weightᵀ (+ bias).</summary>
    public void Run(MatmulShape shape, nint input, nint weight, nint bias, nint output)
    {
        MatmulPlan plan = Plan(shape, bias);
        if (plan.Own is { } own)
        {
            own.Run(shape, input, weight, bias, output);
            return;
        }

        CublasStatus status = RunLibrary(plan, input, weight, bias, output);
        if (status.Code != 0)
        {
            // An algorithm borrowed from another row count may not apply: ask the library for this one.
            plan.Algorithm = plan.Candidates(_library, WorkspaceBytes, 1, bias)[0].Algorithm;
            RunLibrary(plan, input, weight, bias, output).Check();
        }
    }

    /// <summary>Times the candidates for a shape unless an earlier start did.</summary>
    /// <param name="weights">Weights of this shape, taken in turn so that none stays in the device's cache.</param>
    /// <returns>True when it had to be timed.</returns>
    public bool Tune(MatmulShape shape, nint input, IReadOnlyList<nint> weights, nint bias, nint output)
    {
        MatmulPlan plan = new(shape);
        string key = Key(shape);
        if (_kept.TryGetValue(key, out string? kept) && Restore(plan, kept))
        {
            _plans[shape] = plan;
            return false;
        }

        CublasLt.MatmulCandidate[] candidates = plan.Candidates(_library, WorkspaceBytes, MostCandidates, bias);
        CublasLt.MatmulAlgorithm chosen = candidates[0].Algorithm;
        double work = 2.0 * shape.Rows * shape.Outputs * shape.Inputs;
        int repeats = (int)Math.Clamp(6e12 / work, 4, 24);
        float best = float.MaxValue;
        foreach (CublasLt.MatmulCandidate candidate in candidates)
        {
            plan.Algorithm = candidate.Algorithm;
            if (RunLibrary(plan, input, weights[0], bias, output).Code != 0)
            {
                continue;
            }

            float milliseconds = Time(repeats, weights, weight => RunLibrary(plan, input, weight, bias, output).Check());
            // The library's first guess stays unless another is clearly faster.
            if (milliseconds < best * (best == float.MaxValue ? 1f : 0.99f))
            {
                best = milliseconds;
                chosen = candidate.Algorithm;
            }
        }

        plan.Algorithm = chosen;
        foreach (OwnMatmul own in _own)
        {
            if (!own.Accepts(shape))
            {
                continue;
            }

            own.Run(shape, input, weights[0], bias, output);
            float milliseconds = Time(repeats, weights, weight => own.Run(shape, input, weight, bias, output)) - (ReferenceEquals(own, Vector) ? FusionMilliseconds : 0);
            if (milliseconds < best)
            {
                best = milliseconds;
                plan.Own = own;
            }
        }

        _plans[shape] = plan;
        _kept[key] = plan.Own?.Name ?? Text(chosen);
        _changed = true;
        return true;
    }

    /// <summary>Writes what was timed since the start, for the next one.</summary>
    public void SaveTuning()
    {
        if (!_changed || _cacheFile is null)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_cacheFile)!);
            string partial = $"{_cacheFile}.{Environment.ProcessId}";
            File.WriteAllLines(partial, _kept.Select(p => $"{p.Key} {p.Value}"));
            File.Move(partial, _cacheFile, overwrite: true);
            _changed = false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without a writable cache the next start times again.
        }
    }

    public void Dispose()
    {
        _workspace.Dispose();
        foreach (OwnMatmul own in _own)
        {
            own.Dispose();
        }

        CublasLt.Destroy(_library);
    }

    private static string Key(MatmulShape s) => $"{s.Rows},{s.Outputs},{s.Inputs},{s.ElementType},{s.OutputType},{(s.Bias ? 1 : 0)}";

    private static string Text(CublasLt.MatmulAlgorithm algorithm)
    {
        byte[] data = new byte[sizeof(CublasLt.MatmulAlgorithm)];
        MemoryMarshal.Write(data, in algorithm);
        return Convert.ToHexStringLower(data);
    }

    private static Dictionary<string, string> Read(string? file)
    {
        Dictionary<string, string> kept = new(StringComparer.Ordinal);
        try
        {
            if (file is not null && File.Exists(file))
            {
                foreach (string line in File.ReadLines(file))
                {
                    string[] parts = line.Split(' ');
                    if (parts.Length == 2)
                    {
                        kept[parts[0]] = parts[1];
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            kept.Clear();
        }

        return kept;
    }

    /// <summary>Takes over what an earlier start chose; false where the file's line means nothing to us.</summary>
    private bool Restore(MatmulPlan plan, string kept)
    {
        foreach (OwnMatmul own in _own)
        {
            if (own.Name == kept)
            {
                plan.Own = own;
                return own.Accepts(plan.Shape);
            }
        }

        if (kept.Length != 2 * sizeof(CublasLt.MatmulAlgorithm) || !kept.All(char.IsAsciiHexDigit))
        {
            return false;
        }

        plan.Algorithm = MemoryMarshal.Read<CublasLt.MatmulAlgorithm>(Convert.FromHexString(kept));
        return true;
    }

    private CublasStatus RunLibrary(MatmulPlan plan, nint input, nint weight, nint bias, nint output) =>
        plan.Run(_library, input, weight, bias, output, _workspace.Address, WorkspaceBytes, _device.Stream);

    /// <summary>Milliseconds of one run, over the weights in turn.</summary>
    private float Time(int repeats, IReadOnlyList<nint> weights, Action<nint> run)
    {
        nint start, end;
        Driver.EventCreate(&start, 0).Check();
        Driver.EventCreate(&end, 0).Check();
        Driver.EventRecord(start, _device.Stream).Check();
        for (int i = 0; i < repeats; i++)
        {
            run(weights[(i + 1) % weights.Count]);
        }

        Driver.EventRecord(end, _device.Stream).Check();
        Driver.EventSynchronize(end).Check();
        float milliseconds;
        Driver.EventElapsedTime(&milliseconds, start, end).Check();
        Driver.EventDestroy(start);
        Driver.EventDestroy(end);
        return milliseconds / repeats;
    }

    private MatmulPlan Plan(MatmulShape shape, nint bias)
    {
        if (_plans.TryGetValue(shape, out MatmulPlan? plan))
        {
            return plan;
        }

        plan = new MatmulPlan(shape);
        MatmulPlan? above = null;
        foreach (MatmulPlan other in _plans.Values)
        {
            if (other.Shape.Rows > shape.Rows && other.Shape with { Rows = shape.Rows } == shape && (above is null || other.Shape.Rows < above.Shape.Rows))
            {
                above = other;
            }
        }

        plan.Own = above?.Own;
        if (plan.Own is null)
        {
            plan.Algorithm = above?.Algorithm ?? plan.Candidates(_library, WorkspaceBytes, 1, bias)[0].Algorithm;
        }

        _plans[shape] = plan;
        return plan;
    }
}
