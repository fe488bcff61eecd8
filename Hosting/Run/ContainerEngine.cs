using System.Diagnostics;

namespace Fastgen.Hosting.Run;

/// <summary>docker or podman, when its engine answers.</summary>
internal static class ContainerEngine
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);

    /// <param name="findings">Gets a line for each engine that was found but does not answer.</param>
    /// <returns>Path of the client, or null when no engine answers.</returns>
    public static async Task<string?> FindAsync(string? path, List<string> findings)
    {
        foreach (var name in (string[])["docker", "podman"])
        {
            if (ProgramPath.Find(name, path) is not { } client)
            {
                continue;
            }

            // A client alone proves nothing: the daemon may be stopped, hung or forbidden.
            var (exitCode, output) = await RunAsync(client, ["info"], AnswerLimit);
            if (exitCode == 0)
            {
                return client;
            }

            findings.Add(exitCode is null
                ? $"{client} is there but did not answer `info` within {AnswerLimit.TotalSeconds:0} s"
                : $"{client} is there but its engine does not answer ({LastLine(output)})");
        }

        return null;
    }

    /// <returns>The exit code, null when the time limit passed, and all output.</returns>
    public static async Task<(int? ExitCode, string Output)> RunAsync(string client, string[] arguments, TimeSpan limit)
    {
        var start = new ProcessStartInfo(client, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(limit);
        try
        {
            process.StandardInput.Close();
            var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(timeout.Token), process.StandardError.ReadToEndAsync(timeout.Token));
            await process.WaitForExitAsync(timeout.Token);
            return (process.ExitCode, string.Concat(await output));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return (null, "");
        }
    }

    private static string LastLine(string output)
        => output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault() ?? "no output";
}
