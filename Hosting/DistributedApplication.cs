using System.Reflection;
using System.Runtime.InteropServices;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Testing;
using Fastgen.Hosting.Run;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

/// <summary>The described application; starts, watches and stops its resources.</summary>
public sealed class DistributedApplication : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly Orchestrator _orchestrator;
    private readonly bool _isTest;
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal DistributedApplication(
        IConfiguration configuration, IServiceCollection services, IReadOnlyList<Resource> resources, DistributedApplicationEventing eventing, bool isTest)
    {
        _isTest = isTest;
        ResourceNotifications = new ResourceNotificationService(resources);
        Resources = resources;
        services.AddSingleton(ResourceNotifications);
        if (!isTest)
        {
            services.AddSingleton<ILoggerProvider>(new PrefixedConsoleLoggerProvider(
                Console.Out, RunOptions.ShowsColors, resources.Select(r => r.Replicas > 1 ? $"{r.Name}-{r.Replicas - 1}" : r.Name)));
            // The HTTP client of the health checks would log every call.
            services.AddLogging(logging => logging.AddFilter("System.Net.Http", LogLevel.Warning));
        }

        _services = services.BuildServiceProvider();
        _orchestrator = new Orchestrator(
            resources, RunOptions.From(configuration), configuration, ResourceNotifications, eventing, _services);
    }

    /// <summary>Services of the host itself.</summary>
    public IServiceProvider Services => _services;

    /// <summary>The state of every resource.</summary>
    public ResourceNotificationService ResourceNotifications { get; }

    internal IReadOnlyList<Resource> Resources { get; }

    /// <summary>Begins the description of an application.</summary>
    /// <param name="args">Command line; <c>--key=value</c> goes into the configuration.</param>
    public static IDistributedApplicationBuilder CreateBuilder(string[] args)
        => EntryPointRun.Current is { } run
            ? new DistributedApplicationBuilder([.. run.Arguments, .. args], run.AppHost, run.Build)
            : new DistributedApplicationBuilder(args, Assembly.GetEntryAssembly(), buildHook: null);

    /// <summary>Starts the resources and returns when they are under way; each starts when those that it waits for are healthy.</summary>
    /// <exception cref="DistributedApplicationException">Something that the start needs is missing, such as a free port or a Redis server.</exception>
    public Task StartAsync(CancellationToken cancellationToken = default) => _orchestrator.StartAsync(cancellationToken);

    /// <summary>Stops the resources, each before those that it waited for.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => _orchestrator.StopAsync(cancellationToken);

    /// <summary>Runs the application until Ctrl-C or SIGTERM. Prints what is wrong and sets exit code 1 when it cannot start.</summary>
    public void Run() => RunAsync().GetAwaiter().GetResult();

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_disposed.Task.IsCompleted)
        {
            return;
        }

        await StopAsync();
        _orchestrator.Dispose();
        await _services.DisposeAsync();
        _disposed.TrySetResult();
    }

    private async Task RunAsync()
    {
        if (_isTest)
        {
            await _disposed.Task;
            return;
        }

        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var force = new CancellationTokenSource();
        var lastAsked = 0L;
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            // Asked again: do not wait for the resources' own ends. Supervisors and terminals send one wish as several
            // signals (to the process, then to its group), so what comes at once is no second wish.
            var before = Interlocked.Exchange(ref lastAsked, Environment.TickCount64);
            if (!asked.TrySetResult() && Environment.TickCount64 - before > 500)
            {
                force.Cancel();
            }
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        using var starting = new CancellationTokenSource();
        try
        {
            var start = StartAsync(starting.Token);
            if (await Task.WhenAny(start, asked.Task) == start)
            {
                await start;
                await asked.Task;
            }
            else
            {
                await starting.CancelAsync();
                await start.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        catch (DistributedApplicationException e)
        {
            await Console.Error.WriteLineAsync("error: " + e.Message);
            Environment.ExitCode = 1;
        }

        await StopAsync(force.Token);
        await DisposeAsync();
    }
}
