using System.Diagnostics;

namespace Fastgen.EndToEnd.Tests;

/// <summary>The openai npm package against gateway, Redis, workers and the demo model.</summary>
public sealed class NodeClientTests(StackFixture shared) : IClassFixture<StackFixture>
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    [Fact]
    public async Task The_openai_package_chats_streams_runs_in_parallel_cancels_and_reads_errors()
    {
        Assert.SkipWhen(OnPath("node") is null || OnPath("npm") is null, "node and npm are not on the PATH; install them (apt-get install nodejs npm) to run this test.");
        string folder = Path.Combine(Path.GetDirectoryName(Projects.AppHost.ProjectPath)!, "tests", "EndToEnd.Tests", "js");
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "openai")))
        {
            (int code, string output) = await RunAsync("npm", folder, "ci", "--no-audit", "--no-fund");
            Assert.SkipWhen(code != 0, $"npm ci does not reach a registry here: {output}");
        }

        (int exitCode, string report) = await RunAsync("node", folder, "client.mjs", new Uri(shared.Stack.GatewayUrl, "v1").ToString());
        Assert.True(exitCode == 0, report);
        Assert.Contains("7 checks passed", report, StringComparison.Ordinal);
        await shared.Stack.AssertNothingIsHeldAsync();
    }

    private static string? OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    private static async Task<(int ExitCode, string Output)> RunAsync(string program, string folder, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(Limit);
        return (process.ExitCode, await output + await errors);
    }
}
