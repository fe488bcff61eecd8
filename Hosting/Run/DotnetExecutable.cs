using System.Runtime.InteropServices;

namespace Fastgen.Hosting.Run;

/// <summary>The dotnet executable that runs this host, for the projects that it starts.</summary>
internal static class DotnetExecutable
{
    public static string Path { get; } = Find();

    private static string Find()
    {
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        // shared/Microsoft.NETCore.App/10.0.x/ lies three levels below the executable.
        var beside = System.IO.Path.GetFullPath(System.IO.Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
        string?[] candidates = [Environment.ProcessPath, Environment.GetEnvironmentVariable("DOTNET_HOST_PATH"), beside];
        return candidates.FirstOrDefault(path => System.IO.Path.GetFileName(path) == name && File.Exists(path)) ?? name;
    }
}
