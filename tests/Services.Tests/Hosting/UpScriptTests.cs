using System.Diagnostics;

namespace Fastgen.Services.Tests.Hosting;

/// <summary>The checks that ./up makes before it builds.</summary>
public sealed class UpScriptTests : IDisposable
{
    private static readonly string Root = Path.GetDirectoryName(Projects.AppHost.ProjectPath)!;

    // The root and the whole PATH of a run: a copy of the script, the tools that it may use, and stand-ins for those that change things.
    private readonly string _folder = Directory.CreateTempSubdirectory("fastgen-up-").FullName;

    public UpScriptTests()
    {
        File.Copy(Path.Combine(Root, "up"), Path.Combine(_folder, "up"));
        foreach (var tool in (string[])["dirname", "grep", "cut", "paste", "env", "printenv", "mkdir", "cat", "sh", "timeout", "tr", "true"])
        {
            File.CreateSymbolicLink(Path.Combine(_folder, tool), ProgramOf(tool));
        }
    }

    [Theory]
    [InlineData("--port 0", "--port is '0', but must be a whole number from 1 to 65535.")]
    [InlineData("--port", "--port needs a value")]
    [InlineData("--workers=many", "--workers is 'many', but must be a whole number from 1 to 256.")]
    [InlineData("--model ./no-such-folder", "--model names the folder './no-such-folder', which does not exist")]
    [InlineData("--frobnicate", "'--frobnicate' is not an option")]
    public async Task A_wrong_option_is_named(string options, string message)
    {
        var (exitCode, output) = await UpAsync(Environment.GetEnvironmentVariable("PATH")!, options.Split(' '));
        Assert.Equal(1, exitCode);
        Assert.Contains("error: " + message, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_SDK_is_named_with_where_to_get_it()
    {
        var (exitCode, output) = await UpAsync(_folder);
        Assert.Equal(1, exitCode);
        Assert.Contains("dotnet is not on the PATH", output, StringComparison.Ordinal);
        Tool("dotnet", "echo '9.0.300 [/usr/share/dotnet/sdk]'");
        (exitCode, output) = await UpAsync(_folder);
        Assert.Equal(1, exitCode);
        Assert.Contains("the .NET 10 SDK is missing (installed: 9.0.300); get it from https://dotnet.microsoft.com/download/dotnet/10.0", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_Redis_is_installed_by_apt_and_then_the_host_is_built_and_started()
    {
        FakeDotnet();
        // As root the tools are called directly, else through sudo; none of them may touch this machine.
        Tool("sudo", "shift; exec \"$@\"");
        Tool("tee", "cat >/dev/null");
        Tool("chmod", "true");
        Tool("rm", "true");
        Tool("systemctl", "true");
        Tool("apt-get", $"echo \"apt-get $*\"; case $* in *install*) : >{_folder}/installed ;; esac");
        var (exitCode, output) = await UpAsync(_folder, "--port", "9000", "--workers=3", "--api-key", "hush", "--", "--Hosting:StopGraceMs=5");
        Assert.True(exitCode == 0, output);
        Assert.True(File.Exists(Path.Combine(_folder, "installed")), output);
        string[] steps = ["redis-server is missing: installing it by apt", "apt-get update -qq", "apt-get install -y -qq --no-install-recommends redis-server", "building (Release)", "starting"];
        Assert.Equal(steps.Select(s => output.IndexOf(s, StringComparison.Ordinal)).Order(), steps.Select(s => output.IndexOf(s, StringComparison.Ordinal)));
        Assert.True(output.Contains(steps[0], StringComparison.Ordinal), output);
        Assert.Contains("started with --Gateway:Port=9000 --Worker:Replicas=3 --Hosting:StopGraceMs=5 key Parameters__api-key=hush", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_present_Redis_or_a_given_one_needs_no_installation()
    {
        FakeDotnet();
        Tool("apt-get", "echo called; exit 1");
        var (exitCode, output) = await UpAsync(_folder, "--redis", "cache.example:6379");
        Assert.True(exitCode == 0, output);
        Assert.Contains("redis cache.example:6379", output, StringComparison.Ordinal);
        Tool("valkey-server", "true");
        (exitCode, output) = await UpAsync(_folder);
        Assert.True(exitCode == 0, output);
        Assert.DoesNotContain("called", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_machine_without_apt_is_told_what_to_install()
    {
        FakeDotnet();
        var (exitCode, output) = await UpAsync(_folder);
        Assert.Equal(1, exitCode);
        Assert.Contains("neither redis-server nor valkey-server is on the PATH and no container engine answers", output, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void FakeDotnet() => Tool("dotnet", """
        case $1 in
          --list-sdks) echo '10.0.100 [/usr/share/dotnet/sdk]' ;;
          build) mkdir -p artifacts/bin/AppHost/release && : >artifacts/bin/AppHost/release/Fastgen.AppHost.dll ;;
          */Fastgen.AppHost.dll) shift; echo "started with $* key $(cat /proc/$$/environ | tr '\0' '\n' | grep ^Parameters__api-key) redis $(printenv ConnectionStrings__redis)" ;;
          *) echo "unexpected: dotnet $*"; exit 9 ;;
        esac
        """);

    private void Tool(string name, string script) => ShellScript.Write(Path.Combine(_folder, name), script);

    private static string ProgramOf(string name) => Fastgen.Hosting.Run.ProgramPath.Find(name)!;

    private async Task<(int ExitCode, string Output)> UpAsync(string path, params string[] options)
    {
        var start = new ProcessStartInfo(ProgramOf("bash"), [Path.Combine(_folder, "up"), .. options]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["PATH"] = path;
        start.Environment.Remove("ConnectionStrings__redis");
        using var up = Process.Start(start)!;
        var errors = up.StandardError.ReadToEndAsync();
        var text = up.StandardOutput.ReadToEndAsync();
        var output = await errors + await text;
        await up.WaitForExitAsync();
        return (up.ExitCode, output);
    }
}
