namespace Fastgen.Engine.Model.Checkpoints;

/// <summary>Finds the folder of a model given as a path or as a repo id of the local HuggingFace cache.</summary>
internal static class ModelFolder
{
    /// <param name="model">A folder, or <c>org/name</c>, optionally <c>org/name@revision</c>.</param>
    /// <exception cref="ModelLoadException">Nothing is found; the message lists the places.</exception>
    public static string Find(string model) => Find(model, Environment.GetEnvironmentVariable);

    /// <param name="environment">Reads an environment variable (HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME).</param>
    internal static string Find(string model, Func<string, string?> environment)
    {
        if (string.IsNullOrWhiteSpace(model))
        {
            throw new ModelLoadException("No model was named; give a folder with config.json, or a repo id such as meta-llama/Llama-3.2-1B-Instruct.");
        }

        if (Directory.Exists(model))
        {
            return Path.GetFullPath(model);
        }

        var looked = new List<string> { Path.GetFullPath(model) };
        var (repository, revision) = Split(model);
        if (repository is not null)
        {
            foreach (var cache in Caches(environment))
            {
                var folder = Path.Combine(cache, "models--" + repository.Replace("/", "--", StringComparison.Ordinal));
                looked.Add(folder);
                if (Snapshot(folder, revision) is { } snapshot)
                {
                    return snapshot;
                }
            }
        }

        throw new ModelLoadException($"Model '{model}' was not found. Looked in: {string.Join("; ", looked)}. "
            + "Give a folder with config.json, or download the repo into the HuggingFace cache (hf download ORG/NAME), or set HF_HOME to where it is.");
    }

    private static (string? Repository, string Revision) Split(string model)
    {
        var at = model.IndexOf('@', StringComparison.Ordinal);
        var repository = at < 0 ? model : model[..at];
        var revision = at < 0 ? "main" : model[(at + 1)..];
        var parts = repository.Split('/');
        var valid = parts.Length is 1 or 2 && parts.All(IsName)
            && revision.Length > 0 && revision.Split('/').All(IsName);
        return (valid ? repository : null, revision);

        static bool IsName(string part) => part.Length > 0 && part is not ("." or "..") && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
    }

    private static IEnumerable<string> Caches(Func<string, string?> environment)
    {
        // The order of huggingface_hub: the first that is set is the cache.
        string? Value(string name) => environment(name) is { Length: > 0 } value ? value : null;
        if ((Value("HF_HUB_CACHE") ?? Value("HUGGINGFACE_HUB_CACHE")) is { } hub)
        {
            return [hub];
        }

        if (Value("HF_HOME") is { } home)
        {
            return [Path.Combine(home, "hub")];
        }

        var user = Value("XDG_CACHE_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        return [Path.Combine(user, "huggingface", "hub")];
    }

    private static string? Snapshot(string folder, string revision)
    {
        var reference = Path.Combine(folder, "refs", revision);
        var commit = File.Exists(reference) ? File.ReadAllText(reference).Trim() : revision;
        var snapshot = Path.Combine(folder, "snapshots", commit);
        return File.Exists(Path.Combine(snapshot, "config.json")) ? snapshot : null;
    }
}
