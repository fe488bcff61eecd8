namespace Fastgen.Services.Tests.Architecture;

/// <summary>The sources of this checkout.</summary>
internal static class SourceTree
{
    private static readonly string[] NotSources = ["artifacts", "bin", "obj", "node_modules", ".git"];

    public static string Root { get; } = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Projects.AppHost.ProjectPath))!;

    /// <summary>C# files under a folder, by path relative to the root, with forward slashes.</summary>
    public static IEnumerable<string> CSharpFiles(string folder = "") => Files(new DirectoryInfo(Path.Combine(Root, folder)))
        .Where(file => file.Extension == ".cs")
        .Select(file => Path.GetRelativePath(Root, file.FullName).Replace('\\', '/'));

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static IEnumerable<FileInfo> Files(DirectoryInfo folder) => folder.EnumerateFiles()
        .Concat(folder.EnumerateDirectories().Where(child => !NotSources.Contains(child.Name)).SelectMany(Files));
}
