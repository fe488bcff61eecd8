using System.Reflection;
using Fastgen.Hosting.Run;

namespace Aspire.Hosting.Testing;

/// <summary>Runs an app host inside a test. All ports are free ones, also where the app host asks for a fixed port.</summary>
public static class DistributedApplicationTestingBuilder
{
    // The first setting of a key is overruled by a later one, so a test may ask for the fixed ports.
    private static readonly string[] Defaults = [$"--{RunOptions.RandomPortsKey}=true"];

    /// <summary>Runs the entry point of the app host that <typeparamref name="TEntryPoint"/> belongs to, up to its call of Build.</summary>
    /// <param name="args">Command line of the app host.</param>
    /// <exception cref="InvalidOperationException">The entry point ended without building an application.</exception>
    public static async Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        string[] args, CancellationToken cancellationToken = default)
        where TEntryPoint : class
    {
        var run = new EntryPointRun(typeof(TEntryPoint).Assembly, Defaults, args);
        return new TestingBuilder(await run.StartAsync(cancellationToken), run);
    }

    /// <summary>Begins an application that the test itself describes.</summary>
    /// <param name="args">Command line, <c>--key=value</c>.</param>
    public static IDistributedApplicationTestingBuilder Create(params string[] args)
        => new TestingBuilder(new DistributedApplicationBuilder([.. Defaults, .. args], Assembly.GetCallingAssembly(), buildHook: null), run: null);
}
