namespace Fastgen.Hosting.Run;

/// <summary>Finds programs as a shell does.</summary>
internal static class ProgramPath
{
    /// <returns>The absolute path of the first executable file of that name on the PATH, or null.</returns>
    public static string? Find(string program) => Find(program, Environment.GetEnvironmentVariable("PATH"));

    public static string? Find(string program, string? path)
    {
        var fileName = OperatingSystem.IsWindows() ? program + ".exe" : program;
        return (path ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.GetFullPath(Path.Combine(folder, fileName)))
            .FirstOrDefault(IsExecutable);
    }

    private static bool IsExecutable(string path)
        => File.Exists(path) && (OperatingSystem.IsWindows()
            || (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0);
}
