using Fastgen.Services.Tests.Architecture;

namespace Fastgen.Services.Tests.Tools.FgBench;

/// <summary>fgserve as a process on models/demo, asking for a key.</summary>
public sealed class DemoServer : IAsyncLifetime
{
    public const string Key = "secret of the tests";

    private ToolProcess? _server;

    public string Address { get; private set; } = "";

    public static string Model => Path.Combine(SourceTree.Root, "models", "demo");

    public async ValueTask InitializeAsync()
    {
        _server = ToolProcess.Start("fgserve", Model, "--port", "0", "--backend", "cpu", "--threads", "1", "--kv-cache-gb", "0.1", "--api-key", Key);
        await _server.WaitForOutputAsync(output => output.Contains("curl", StringComparison.Ordinal) && output.EndsWith('\n'));
        Address = ServedModel.AddressIn(_server.Output).GetLeftPart(UriPartial.Authority);
    }

    public ValueTask DisposeAsync() => _server!.DisposeAsync();
}
