using System.Reflection;
using System.Runtime.ExceptionServices;

namespace Aspire.Hosting.Testing;

/// <summary>An app host's entry point, run on a thread of its own and held in its call of Build until the test has built.</summary>
internal sealed class EntryPointRun(Assembly appHost, string[] defaults, string[] args)
{
    // Flows with the execution context, so that entry points of different tests do not meet.
    private static readonly AsyncLocal<EntryPointRun?> Running = new();

    private readonly TaskCompletionSource<DistributedApplicationBuilder> _described = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<DistributedApplication> _built = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The run that the calling code belongs to, null in a process of the app host's own.</summary>
    public static EntryPointRun? Current => Running.Value;

    public Assembly AppHost => appHost;

    /// <summary>Settings that precede the command line.</summary>
    public string[] Arguments => defaults;

    public async Task<DistributedApplicationBuilder> StartAsync(CancellationToken cancellationToken)
    {
        var main = appHost.EntryPoint ?? throw new InvalidOperationException($"{appHost} has no entry point; name the project type of an app host.");
        var thread = Task.Factory.StartNew(() => Execute(main), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        if (await Task.WhenAny(_described.Task, thread).WaitAsync(cancellationToken) == thread)
        {
            await thread;
            throw new InvalidOperationException($"The entry point of {appHost} ended without a call of Build; an app host calls builder.Build().Run().");
        }

        return await _described.Task;
    }

    /// <summary>Called by the entry point; returns when the test has built.</summary>
    public DistributedApplication Build(DistributedApplicationBuilder builder)
    {
        _described.SetResult(builder);
        return _built.Task.GetAwaiter().GetResult();
    }

    public void Built(DistributedApplication application) => _built.SetResult(application);

    /// <summary>Ends the entry point when the test disposes the builder without building.</summary>
    public void Abandon() => _built.TrySetCanceled();

    private void Execute(MethodInfo main)
    {
        Running.Value = this;
        try
        {
            main.Invoke(null, main.GetParameters().Length == 0 ? null : [args]);
        }
        catch (TargetInvocationException e) when (e.InnerException is OperationCanceledException && _built.Task.IsCanceled)
        {
            // abandoned by the test
        }
        catch (TargetInvocationException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerException!);
        }
    }
}
