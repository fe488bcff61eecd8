using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Fastgen.Engine.GoldenTests.Models;

/// <summary>Where golden data lies: FASTGEN_GOLDEN_DIR, else ../shared/golden beside the repository, else the committed fixtures.</summary>
internal static class GoldenFolder
{
    private const string Variable = "FASTGEN_GOLDEN_DIR";

    private static readonly Lazy<string> LazyRoot = new(FindRoot);
    private static readonly Lazy<IReadOnlyDictionary<string, string>> LazyModels = new(FindModels);

    public static string Root => LazyRoot.Value;

    /// <summary>Folder of each model case by its name, which is its path under the root.</summary>
    public static IReadOnlyDictionary<string, string> Models => LazyModels.Value;

    /// <summary>The folder that holds Fastgen.Aspire.sln.</summary>
    public static string RepositoryRoot
    {
        get
        {
            for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "Fastgen.Aspire.sln")))
                {
                    return folder.FullName;
                }
            }

            throw new InvalidOperationException($"No folder above '{AppContext.BaseDirectory}' holds Fastgen.Aspire.sln; run the tests from a clone, or set {Variable}.");
        }
    }

    private static string FindRoot()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given)
        {
            return Directory.Exists(given) ? Path.GetFullPath(given) : throw new InvalidOperationException($"{Variable} is '{given}', which is not a folder.");
        }

        var shared = Path.GetFullPath(Path.Combine(RepositoryRoot, "..", "shared", "golden"));
        return Directory.Exists(shared) ? shared : Path.Combine(RepositoryRoot, "tests", "Engine.GoldenTests", "Fixtures");
    }

    private static SortedDictionary<string, string> FindModels()
    {
        var cases = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var models = Path.Combine(Root, "models");
        if (!Directory.Exists(models))
        {
            return cases;
        }

        AddCases(models, "", cases);
        foreach (var archive in Directory.EnumerateFiles(models, "*.tar.gz", SearchOption.AllDirectories))
        {
            AddCases(Unpack(archive), Path.GetFileName(archive) + "/", cases);
        }

        return cases;
    }

    private static void AddCases(string folder, string prefix, SortedDictionary<string, string> cases)
    {
        foreach (var marker in Directory.EnumerateFiles(folder, "golden.json", SearchOption.AllDirectories))
        {
            var found = Path.GetDirectoryName(marker)!;
            cases.Add(prefix + Path.GetRelativePath(folder, found).Replace('\\', '/'), found);
        }
    }

    private static string Unpack(string archive)
    {
        // Named for the archive's state, so that a changed archive is unpacked anew.
        var info = new FileInfo(archive);
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{info.FullName}|{info.Length}|{info.LastWriteTimeUtc.Ticks}")))[..16];
        var target = Path.Combine(Path.GetTempPath(), $"fastgen-golden-{key}");
        if (Directory.Exists(target))
        {
            return target;
        }

        // Unpacked beside and then moved: two test runs at once never see half of it.
        var partial = target + "." + Guid.NewGuid().ToString("N");
        Directory.CreateDirectory(partial);
        using (var stream = new GZipStream(File.OpenRead(archive), CompressionMode.Decompress))
        {
            TarFile.ExtractToDirectory(stream, partial, overwriteFiles: false);
        }

        try
        {
            Directory.Move(partial, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            Directory.Delete(partial, recursive: true);
        }

        return target;
    }
}
