using System.Text.Json;

namespace Fastgen.Engine.GoldenTests.Text;

/// <summary>Where the text goldens lie: FASTGEN_GOLDEN_DIR, or ../shared/golden beside the repository.</summary>
internal static class ChatTemplateGoldens
{
    public static string? Folder()
    {
        string? root = Environment.GetEnvironmentVariable("FASTGEN_GOLDEN_DIR");
        if (string.IsNullOrEmpty(root))
        {
            string? directory = AppContext.BaseDirectory;
            while (directory is not null && !File.Exists(Path.Combine(directory, "Fastgen.Aspire.sln")))
            {
                directory = Path.GetDirectoryName(directory);
            }

            root = directory is null ? null : Path.Combine(directory, "..", "shared", "golden");
        }

        string? text = root is null ? null : Path.GetFullPath(Path.Combine(root, "text"));
        return Directory.Exists(text) ? text : null;
    }

    public static string RequireFolder()
    {
        string? folder = Folder();
        Assert.SkipWhen(folder is null, "No text goldens: set FASTGEN_GOLDEN_DIR to a folder with text/, or put it at ../shared/golden.");
        return folder!;
    }

    public static IEnumerable<string> Files(string folder, string pattern) =>
        Folder() is { } root && Directory.Exists(Path.Combine(root, folder)) ? Directory.EnumerateFiles(Path.Combine(root, folder), pattern).Order(StringComparer.Ordinal) : [];

    public static JsonDocument Read(string path) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(RequireFolder(), path)));
}
