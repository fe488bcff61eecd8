using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Fastgen.Services.Tests.Hosting;

/// <summary>The app host as a process of its own, ended well and badly.</summary>
[Collection("Hosting")] // tests that look for their processes by name
public sealed class HostProcessTests
{
    [Theory]
    [InlineData("TERM", 0)]
    [InlineData("KILL", 137)]
    public async Task The_end_of_the_host_leaves_nothing_behind(string signal, int exitCode)
    {
        var (host, output) = Start("--DcpPublisher:RandomizePorts=true", "--Hosting:StopGraceMs=60000");
        using (host)
        {
            await Eventually.SeeAsync(output, text => text.Contains("dashboard is healthy", StringComparison.Ordinal));
            var children = RunningProcess.StartedBy(host.Id);
            // redis-server writes its title over its environment, so it is known by its port.
            var redisPort = await Eventually.SeeAsync(() => Regex.Match(output(), "Running mode=standalone, port=([0-9]+)").Groups[1].Value, port => port != "");
            Assert.Single(RunningProcess.WithArgument("redis-server 127.0.0.1:" + redisPort));
            Assert.Contains(children, p => p.CommandLine.EndsWith("Fastgen.Dashboard.dll ", StringComparison.Ordinal));
            var (_, scratch) = RunningProcess.GuardOf(host.Id);
            Assert.True(Directory.Exists(scratch));
            // Set for the host, and not for its services to take over.
            Assert.All(children, p => Assert.DoesNotContain(p.Environment, v => v.Value.Contains("the-hosts-own", StringComparison.Ordinal)));

            // Twice, as supervisors do that signal the process and then its group: that is one wish, not a second and more urgent one.
            using (var kill = Process.Start("kill", ["-" + signal, $"{host.Id}", $"{host.Id}"]))
            {
                await kill.WaitForExitAsync();
            }

            await host.WaitForExitAsync().WaitAsync(Eventually.Limit);
            Assert.Equal(exitCode, host.ExitCode);
            Assert.DoesNotContain("was killed", output(), StringComparison.Ordinal);
            await Eventually.SeeAsync(
                () => string.Join('\n', RunningProcess.StartedBy(host.Id).Select(p => p.CommandLine)), left => left == "");
            await Eventually.SeeAsync(() => RunningProcess.WithArgument("redis-server 127.0.0.1:" + redisPort).Count, count => count == 0);
            await Eventually.SeeAsync(() => RunningProcess.WithArgument(scratch).Count, count => count == 0); // the guard too
            await Eventually.BeTrueAsync(() => !Directory.Exists(scratch));
        }
    }

    [Fact]
    public async Task A_port_in_use_ends_the_host_with_one_line_and_exit_code_1()
    {
        using var held = new TcpListener(IPAddress.Loopback, 0);
        held.Start();
        var port = ((IPEndPoint)held.LocalEndpoint).Port;
        var (host, output) = Start($"--Gateway:Port={port}");
        using (host)
        {
            await host.WaitForExitAsync().WaitAsync(Eventually.Limit);
            Assert.Equal(1, host.ExitCode);
            var lines = await Eventually.SeeAsync(() => output().Split('\n', StringSplitOptions.RemoveEmptyEntries), l => l.Length > 0);
            Assert.StartsWith($"error: Port {port}, which 'gateway' needs", Assert.Single(lines), StringComparison.Ordinal);
        }
    }

    private static (Process Host, Func<string> Output) Start(params string[] args)
    {
        var start = new ProcessStartInfo(Fastgen.Hosting.Run.DotnetExecutable.Path, [Path.Combine(AppContext.BaseDirectory, "Fastgen.AppHost.dll"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in (string[])["ASPNETCORE_URLS", "DOTNET_LAUNCH_PROFILE", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"])
        {
            start.Environment[name] = "the-hosts-own";
        }

        var text = new StringBuilder();
        var host = new Process { StartInfo = start };
        void Take(object sender, DataReceivedEventArgs e)
        {
            lock (text)
            {
                text.Append(e.Data is null ? "" : e.Data + "\n");
            }
        }

        host.OutputDataReceived += Take;
        host.ErrorDataReceived += Take;
        host.Start();
        host.BeginOutputReadLine();
        host.BeginErrorReadLine();
        return (host, () =>
        {
            lock (text)
            {
                return text.ToString();
            }
        }
        );
    }
}
