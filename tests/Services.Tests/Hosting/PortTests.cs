using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.Testing;

namespace Fastgen.Services.Tests.Hosting;

[Collection("Hosting")] // tests that look for their processes by name
public sealed class PortTests
{
    private const string FixedPorts = "--DcpPublisher:RandomizePorts=false";

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("0.0.0.0")]
    public async Task A_fixed_port_in_use_is_named_with_its_owner_and_the_remedy(string heldAt)
    {
        using var held = new TcpListener(IPAddress.Parse(heldAt), 0);
        held.Start();
        var port = ((IPEndPoint)held.LocalEndpoint).Port;
        await using var host = new HostFixture(FixedPorts);
        host.Builder.AddExecutable("other", "sleep", ".", "60");
        host.Builder.AddProject<Projects.Gateway>("gateway", launchProfileName: null).WithHttpEndpoint(port: port, name: "api");
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(host.StartAsync);
        Assert.Contains($"Port {port}, which 'gateway' needs for its endpoint 'api', cannot be bound (already in use)", error.Message, StringComparison.Ordinal);
        Assert.Contains($"--gateway:port={port + 1}", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(RunningProcess.StartedBy(Environment.ProcessId), p => p.CommandLine.StartsWith("sleep 60", StringComparison.Ordinal) && host.Log.Of("other").Count > 0);
    }

    [Fact]
    public async Task A_free_fixed_port_is_used()
    {
        var port = LoopbackPort.Next();
        await using var host = new HostFixture(FixedPorts);
        host.Builder.AddProject<Projects.Dashboard>("dashboard", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithHttpEndpoint(port: port).WithHttpHealthCheck("/health");
        var app = await host.StartAsync();
        await app.ResourceNotifications.WaitForResourceHealthyAsync("dashboard").WaitAsync(Eventually.Limit);
        Assert.Equal(port, app.GetEndpoint("dashboard").Port);
        using var http = app.CreateHttpClient("dashboard");
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health")).StatusCode);
    }

    [Fact]
    public async Task Two_resources_cannot_ask_for_one_port()
    {
        await using var host = new HostFixture(FixedPorts);
        host.Builder.AddProject<Projects.Gateway>("gateway", launchProfileName: null).WithHttpEndpoint(port: 27111);
        host.Builder.AddProject<Projects.Dashboard>("dashboard", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithHttpEndpoint(port: 27111);
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(host.StartAsync);
        Assert.Contains("27111 is asked for by both 'gateway' and 'dashboard'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replicas_cannot_share_a_fixed_port()
    {
        await using var host = new HostFixture(FixedPorts);
        host.Builder.AddProject<Projects.InferenceWorker>("worker", launchProfileName: null).WithHttpEndpoint(targetPort: 27112).WithReplicas(2);
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(host.StartAsync);
        Assert.Contains("27112", error.Message, StringComparison.Ordinal);
        Assert.Contains("2 replicas", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_listens_beyond_the_loopback_interface()
    {
        await using var host = new HostFixture();
        host.Builder.AddRedis("redis");
        host.Builder.AddProject<Projects.Dashboard>("dashboard", launchProfileName: null).WithEnvironment("ConnectionStrings__redis", "127.0.0.1:1").WithHttpEndpoint().WithHttpHealthCheck("/health").WithExternalHttpEndpoints();
        var app = await host.StartAsync();
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis").WaitAsync(Eventually.Limit);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("dashboard").WaitAsync(Eventually.Limit);
        int[] ports = [int.Parse((await app.GetConnectionStringAsync("redis"))!.Split(':', ',')[1], null), app.GetEndpoint("dashboard").Port];

        // The kernel's list is read in pieces and may miss a line when others come and go meanwhile.
        var listening = await Eventually.SeeAsync(Listening, seen => seen.Select(s => s.Port).Distinct().Order().SequenceEqual(ports.Order()));
        Assert.All(listening, socket => Assert.Contains(socket.Address, (string[])["0100007F", "00000000000000000000000001000000"]));

        (string Address, int Port)[] Listening() => [.. File.ReadLines("/proc/net/tcp").Concat(File.ReadLines("/proc/net/tcp6"))
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields.Length > 3 && fields[3] == "0A")
            .Select(fields => (Address: fields[1].Split(':')[0], Port: int.Parse(fields[1].Split(':')[1], NumberStyles.HexNumber, null)))
            .Where(socket => ports.Contains(socket.Port))];
    }
}
