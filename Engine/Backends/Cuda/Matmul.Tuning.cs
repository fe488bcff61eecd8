using System.Runtime.InteropServices;
using Fastgen.Engine.Backends.Cuda.Interop;

namespace Fastgen.Engine.Backends.Cuda;

/// <content>Timing the candidates, and the file that keeps what was chosen.</content>
internal sealed unsafe partial class Matmul
{
    private const int MostCandidates = 32;

    // The library's best is not always among its first guesses, and products of few rows take little time to try: decode of 32 sequences gives 5,845 tokens/s with the
    // best of 8, 5,952 with that of 32, and on another card 5,935 and 6,002 with those of 32 and 64 (Mistral-7B on H200s).
    private const int MostCandidatesOfFewRows = 64;
    private const int FewRows = 128;
    private const int Turns = 2;

    // Candidates this much slower than the best in a short look are not timed again.
    private const float Hopeless = 1.1f;

    // Part of the file's name: what older kernels won or lost says nothing about newer ones.
    private const int Generation = 10;

    // What each kernel takes that need not be launched beside a product: a norm, a rotation or an activation.
    private const float FusionMilliseconds = 0.0025f;

    private readonly Dictionary<string, string> _kept;
    private readonly string? _cacheFile;
    private bool _changed;

    /// <summary>Times the candidates for a shape unless an earlier start did, and loads what was chosen.</summary>
    /// <param name="weights">Weights of this shape, taken in turn so that none stays in the device's cache.</param>
    /// <param name="norm">What stands before the product in a step.</param>
    /// <param name="after">What follows the product in a step; a kernel that does it in passing may take longer.</param>
    /// <param name="separately">Queues what follows in a kernel of its own; without it, kernels that do nothing but both are left out.</param>
    /// <returns>True when it had to be timed.</returns>
    public bool Tune(MatmulShape shape, nint input, IReadOnlyList<nint> weights, nint bias, nint output, InputNorm norm = InputNorm.Weighted, ProductEpilogue after = ProductEpilogue.Store, Action? separately = null)
    {
        bool timed = TuneUnlessKept(shape, input, weights, bias, output, norm, after, separately);
        if (Followed(shape, bias, after) is { } followed)
        {
            followed.Load(shape, norm, after);
        }
        else
        {
            Fused(shape, bias)?.Load(shape, norm, ProductEpilogue.Store);
        }

        return timed;
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

    /// <summary>Kernels that need not be launched beside this one. The sum of residuals counts for nothing: the library does it too, or the next norm in passing.</summary>
    private static int SavedKernels(OwnMatmul own, MatmulShape shape, InputNorm norm, ProductEpilogue after) =>
        own is not FusedMatmul fused || after == ProductEpilogue.Add ? 0
        : (fused.TakesNorm && norm == InputNorm.Weighted ? 1 : 0) + (after != ProductEpilogue.Store && fused.Supports(after, shape) ? 1 : 0);

    private static string Key(MatmulShape s, ProductEpilogue after) => $"{s.Rows},{s.Outputs},{s.Inputs},{s.ElementType},{s.OutputType},{(s.Bias ? 1 : 0)},{(int)after}";

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

    private bool TuneUnlessKept(MatmulShape shape, nint input, IReadOnlyList<nint> weights, nint bias, nint output, InputNorm norm, ProductEpilogue after, Action? separately)
    {
        MatmulPlan plan = new(shape);
        string key = Key(shape, after);
        if (_kept.TryGetValue(key, out string? kept) && Restore(plan, kept))
        {
            _plans[shape] = plan;
            return false;
        }

        double work = 2.0 * shape.Rows * shape.Outputs * shape.Inputs;
        int repeats = (int)Math.Clamp(6e12 / work, 4, 24);
        float best = ChooseAlgorithm(plan, repeats, input, weights, bias, output, share: after == ProductEpilogue.Add ? 1 : 0);
        foreach (OwnMatmul own in _own)
        {
            if (!own.Accepts(shape) || !own.Competes(shape, after))
            {
                continue;
            }

            Action<nint> run = after == ProductEpilogue.Add && own is FusedMatmul fused && fused.Supports(after, shape)
                ? weight => fused.Run(new FusedProduct(shape, input, weight, shape.Bias ? bias : 0, output, After: after))
                : weight => own.Run(shape, input, weight, bias, output);

            // What a kernel prepares for each weight is not timed.
            foreach (nint weight in weights)
            {
                run(weight);
            }

            float milliseconds = Time(repeats, weights, run) - (SavedKernels(own, shape, norm, after) * FusionMilliseconds);
            if (milliseconds < best)
            {
                best = milliseconds;
                plan.Own = own;
            }
        }

        _plans[shape] = plan;
        if (separately is not null && !(plan.Own is FusedMatmul chosenFused && chosenFused.Supports(after, shape)))
        {
            ChooseFollowed(plan, repeats, input, weights, bias, output, after, separately);
        }

        _kept[key] = (plan.Own?.Name ?? Text(plan.Algorithm)) + (plan.Followed is { } followed ? $"+{followed.Name}" : "");
        _changed = true;
        return true;
    }

    /// <summary>Gives the plan the library's fastest algorithm: a short look at all, then longer ones, by turns, at those that were near the best.</summary>
    /// <param name="share">As for <see cref="MatmulPlan.Run"/>.</param>
    /// <returns>Its milliseconds; the largest number if none ran.</returns>
    private float ChooseAlgorithm(MatmulPlan plan, int repeats, nint input, IReadOnlyList<nint> weights, nint bias, nint output, float share)
    {
        CublasLt.MatmulCandidate[] candidates = plan.Candidates(_library, WorkspaceBytes, plan.Shape.Rows <= FewRows ? MostCandidatesOfFewRows : MostCandidates, bias);
        List<(CublasLt.MatmulAlgorithm Algorithm, float Milliseconds)> looks = [];
        foreach (CublasLt.MatmulCandidate candidate in candidates)
        {
            plan.Algorithm = candidate.Algorithm;
            if (RunLibrary(plan, input, weights[0], bias, output, share).Code == 0)
            {
                looks.Add((candidate.Algorithm, TimeLibrary(Math.Max(2, repeats / 4))));
            }
        }

        plan.Algorithm = candidates[0].Algorithm;
        if (looks.Count == 0)
        {
            return float.MaxValue;
        }

        float limit = looks.Min(look => look.Milliseconds) * Hopeless, best = float.MaxValue;
        CublasLt.MatmulAlgorithm chosen = candidates[0].Algorithm;
        looks.RemoveAll(look => look.Milliseconds > limit);
        float[] milliseconds = new float[looks.Count];
        for (int turn = 0; turn < Turns; turn++)
        {
            for (int i = 0; i < looks.Count; i++)
            {
                plan.Algorithm = looks[i].Algorithm;
                milliseconds[i] += TimeLibrary(repeats) / Turns;
            }
        }

        for (int i = 0; i < looks.Count; i++)
        {
            // An earlier guess of the library stays unless a later one is clearly faster.
            if (milliseconds[i] < best * 0.99f)
            {
                best = milliseconds[i];
                chosen = looks[i].Algorithm;
            }
        }

        plan.Algorithm = chosen;
        return best;

        float TimeLibrary(int times) => Time(times, weights, weight => RunLibrary(plan, input, weight, bias, output, share).Check());
    }

    /// <summary>Times the kernels that only do a product together with what follows against both one after the other, by turns: the device's clock falls while it works.</summary>
    private void ChooseFollowed(MatmulPlan plan, int repeats, nint input, IReadOnlyList<nint> weights, nint bias, nint output, ProductEpilogue after, Action separately)
    {
        MatmulShape shape = plan.Shape;
        foreach (FusedMatmul candidate in _onlyFollowed)
        {
            if (!candidate.Supports(after, shape))
            {
                continue;
            }

            void Together(nint weight) => candidate.Run(new FusedProduct(shape, input, weight, bias, output, After: after));
            void Apart(nint weight)
            {
                Run(shape, input, weight, bias, output);
                separately();
            }

            Together(weights[0]);
            Apart(weights[0]);
            float together = 0, apart = 0;
            for (int turn = 0; turn < 3; turn++)
            {
                together += Time(repeats, weights, Together);
                apart += Time(repeats, weights, Apart);
            }

            if (together < apart)
            {
                plan.Followed = candidate;
            }
        }
    }

    /// <summary>Takes over what an earlier start chose; false where the file's line means nothing to us.</summary>
    private bool Restore(MatmulPlan plan, string kept)
    {
        int plus = kept.IndexOf('+', StringComparison.Ordinal);
        if (plus >= 0)
        {
            plan.Followed = Array.Find(_onlyFollowed, f => f.Name == kept[(plus + 1)..]);
            if (plan.Followed is null)
            {
                return false;
            }

            kept = kept[..plus];
        }

        foreach (OwnMatmul own in _own)
        {
            if (own.Name == kept)
            {
                plan.Own = own.Accepts(plan.Shape) ? own : null;
                return plan.Own is not null;
            }
        }

        if (kept.Length != 2 * sizeof(CublasLt.MatmulAlgorithm) || !kept.All(char.IsAsciiHexDigit))
        {
            return false;
        }

        plan.Algorithm = MemoryMarshal.Read<CublasLt.MatmulAlgorithm>(Convert.FromHexString(kept));
        return true;
    }

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
}
